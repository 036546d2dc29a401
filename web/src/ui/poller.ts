import { Backoff, delay, Scope } from "@oriel/desktop/internal";

/**
 * Repeats `work` while the page is visible: `everyMs` after each success, with a growing pause after a failure. `now()` and showing
 * the page run it at once.
 */
export class Poller {
  readonly #scope = new Scope();
  readonly #wake = new EventTarget();
  readonly #backoff: Backoff;

  constructor(
    private readonly everyMs: number,
    private readonly work: (signal: AbortSignal) => Promise<void>,
    private readonly failed: (error: unknown) => void = () => undefined,
  ) {
    this.#backoff = new Backoff(everyMs, everyMs * 8);
    this.#scope.on(document, "visibilitychange", () => this.now());
    void this.#run();
  }

  now(): void {
    this.#wake.dispatchEvent(new Event("wake"));
  }

  close(): void {
    this.#scope.close();
  }

  async #run(): Promise<void> {
    const { signal } = this.#scope;
    while (!signal.aborted) {
      let pause = this.everyMs;
      if (!document.hidden) {
        try {
          await this.work(signal);
          this.#backoff.reset();
        } catch (error) {
          if (signal.aborted) return;
          pause = this.#backoff.next();
          this.failed(error);
        }
      }
      await delay(document.hidden ? 3_600_000 : pause, signal, this.#wake).catch(() => undefined);
    }
  }
}
