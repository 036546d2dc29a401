/** Owns listeners, observers and timers of one part: closing it removes them all. */
export class Scope {
  readonly #controller = new AbortController();

  get signal(): AbortSignal {
    return this.#controller.signal;
  }

  on<T extends Event = Event>(
    target: EventTarget,
    type: string,
    listener: (event: T) => void,
    options: AddEventListenerOptions = {},
  ): void {
    target.addEventListener(type, listener as EventListener, { ...options, signal: this.signal });
  }

  onClose(action: () => void): void {
    if (this.signal.aborted) action();
    else this.signal.addEventListener("abort", action, { once: true });
  }

  close(): void {
    this.#controller.abort(new DOMException("Closed.", "AbortError"));
  }
}
