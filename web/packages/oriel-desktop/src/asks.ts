/** Questions that the other side answers by their number. */
export class Asks {
  readonly #open = new Map<number, (answered: boolean) => void>();
  #last = 0;

  /** Sends a question with its number; resolves with whether it was answered within `ms`. False also when everything ends before. */
  ask(ms: number, send: (id: number) => void): Promise<boolean> {
    const id = ++this.#last;
    return new Promise((resolve) => {
      const end = (answered: boolean) => {
        clearTimeout(timer);
        this.#open.delete(id);
        resolve(answered);
      };
      const timer = setTimeout(() => end(false), ms);
      this.#open.set(id, end);
      send(id);
    });
  }

  answered(id: number): void {
    this.#open.get(id)?.(true);
  }

  /** Nothing that is open will be answered any more. */
  close(): void {
    for (const end of [...this.#open.values()]) end(false);
  }
}
