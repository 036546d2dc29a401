import { afterEach, beforeEach, expect, test, vi } from "vitest";
import { Asks } from "../packages/oriel-desktop/src/asks.js";

beforeEach(() => void vi.useFakeTimers());
afterEach(() => void vi.useRealTimers());

test("ask_Answered_IsTrueForThatOneOnly", async () => {
  const asks = new Asks();
  const ids: number[] = [];
  const first = asks.ask(1000, (id) => ids.push(id));
  const second = asks.ask(1000, (id) => ids.push(id));
  asks.answered(ids[1] ?? -1);
  expect(await second).toBe(true);
  vi.advanceTimersByTime(1000);
  expect(await first).toBe(false);
});

test("close_OpenAsks_AreNotTakenForAnswered", async () => {
  const asks = new Asks();
  const open = [asks.ask(1000, () => {}), asks.ask(1000, () => {})];
  asks.close();
  expect(await Promise.all(open)).toEqual([false, false]);
});

test("answered_AnUnknownNumber_ChangesNothing", async () => {
  const asks = new Asks();
  const open = asks.ask(1000, () => {});
  asks.answered(77);
  asks.close();
  expect(await open).toBe(false);
});
