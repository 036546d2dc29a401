/** Waiting times between attempts: doubling from `first` to `most`, each shortened by up to a third at random so that pages do not come back in step. */
export class Backoff {
  #attempt = 0;

  constructor(
    readonly firstMs = 250,
    readonly mostMs = 3000,
    private readonly random: () => number = Math.random,
  ) {}

  get attempts(): number {
    return this.#attempt;
  }

  next(): number {
    const full = Math.min(this.mostMs, this.firstMs * 2 ** Math.min(this.#attempt, 30));
    this.#attempt++;
    return Math.round(full * (1 - this.random() / 3));
  }

  reset(): void {
    this.#attempt = 0;
  }
}

/** Resolves after `ms`, or rejects with the signal's reason. `wake` ends the wait early (the network came back, the page was shown). */
export function delay(ms: number, signal: AbortSignal, wake?: EventTarget): Promise<void> {
  return new Promise((resolve, reject) => {
    if (signal.aborted) {
      reject(signal.reason as Error);
      return;
    }
    const end = (settle: () => void) => () => {
      clearTimeout(timer);
      signal.removeEventListener("abort", aborted);
      wake?.removeEventListener("wake", woken);
      settle();
    };
    const woken = end(resolve);
    const aborted = end(() => reject(signal.reason as Error));
    const timer = setTimeout(woken, ms);
    signal.addEventListener("abort", aborted);
    wake?.addEventListener("wake", woken);
  });
}
