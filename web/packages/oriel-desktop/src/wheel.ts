/** Wheel units as X and Windows count them: one notch is 120. */
export const notch = 120;

/** Pixels that browsers report for a notch (Chromium and Firefox: 100 with smooth scrolling off and on, on average). */
const pixelsPerNotch = 100;
const linesPerNotch = 3;

export interface WheelStep {
  dx: number;
  dy: number;
}

/** Sums wheel events into whole units and carries the rest, so that slow touchpad scrolling is not lost by rounding. */
export class WheelSum {
  #x = 0;
  #y = 0;

  /** @param mode WheelEvent.deltaMode: 0 pixels, 1 lines, 2 pages (a page counts as one notch). */
  add(deltaX: number, deltaY: number, mode: number): void {
    const factor = mode === 1 ? notch / linesPerNotch : mode === 2 ? notch : notch / pixelsPerNotch;
    this.#x += bounded(deltaX * factor);
    this.#y += bounded(deltaY * factor);
  }

  /** Takes out the whole units; null when there are none yet. */
  take(): WheelStep | null {
    const dx = Math.trunc(this.#x) + 0;
    const dy = Math.trunc(this.#y) + 0;
    if (dx === 0 && dy === 0) return null;
    this.#x -= dx;
    this.#y -= dy;
    return { dx, dy };
  }

  clear(): void {
    this.#x = 0;
    this.#y = 0;
  }
}

function bounded(value: number): number {
  return Number.isFinite(value) ? Math.min(notch * 20, Math.max(-notch * 20, value)) : 0;
}
