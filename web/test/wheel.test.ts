import { expect, test } from "vitest";
import { WheelSum } from "../packages/oriel-desktop/src/wheel.js";

test("take_OneNotchInPixelsOrLines_Gives120", () => {
  const sum = new WheelSum();
  sum.add(0, 100, 0);
  expect(sum.take()).toEqual({ dx: 0, dy: 120 });
  sum.add(0, -3, 1);
  expect(sum.take()).toEqual({ dx: 0, dy: -120 });
  sum.add(1, 0, 2);
  expect(sum.take()).toEqual({ dx: 120, dy: 0 });
});

test("take_SlowScrolling_CarriesTheRest", () => {
  const sum = new WheelSum();
  let whole = 0;
  for (let i = 0; i < 100; i++) {
    sum.add(0, 0.3, 0);
    whole += sum.take()?.dy ?? 0;
  }
  expect(whole).toBeGreaterThanOrEqual(35);
  expect(whole).toBeLessThanOrEqual(36);
});

test("add_NotANumberOrHuge_IsBounded", () => {
  const sum = new WheelSum();
  sum.add(Number.NaN, 1e9, 0);
  expect(sum.take()).toEqual({ dx: 0, dy: 2400 });
  expect(sum.take()).toBeNull();
});
