import { expect, test } from "vitest";
import { Backoff, delay } from "../packages/oriel-desktop/src/backoff.js";

test("next_WithoutChance_DoublesUpToTheMost", () => {
  const backoff = new Backoff(100, 1000, () => 0);
  expect([1, 2, 3, 4, 5, 6].map(() => backoff.next())).toEqual([100, 200, 400, 800, 1000, 1000]);
  backoff.reset();
  expect(backoff.next()).toBe(100);
});

test("next_WithChance_IsShortenedByAThirdAtMost", () => {
  const backoff = new Backoff(900, 900, () => 0.999);
  expect(backoff.next()).toBeGreaterThanOrEqual(600);
});

test("delay_Woken_EndsAtOnce", async () => {
  const wake = new EventTarget();
  const waiting = delay(3_600_000, new AbortController().signal, wake);
  wake.dispatchEvent(new Event("wake"));
  await expect(waiting).resolves.toBeUndefined();
});

test("delay_Aborted_Rejects", async () => {
  const abort = new AbortController();
  const waiting = delay(3_600_000, abort.signal);
  abort.abort(new Error("closed"));
  await expect(waiting).rejects.toThrow("closed");
  await expect(delay(1, abort.signal)).rejects.toThrow("closed");
});
