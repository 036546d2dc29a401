import { expect, test } from "vitest";
import type { Warning } from "../src/api/types.js";
import { occurrence, unseen, warningsOf, warningTitle } from "../src/ui/warnings.js";

const full: Warning = { code: "scratch-full", message: "Delete files.", since: "2026-01-01T00:00:00Z" };

test("unseen_DismissedThenComesBack_IsShownAgain", () => {
  const dismissed = new Set([occurrence(full)]);
  expect(unseen([full], new Set())).toEqual([full]);
  expect(unseen([full], dismissed)).toEqual([]);
  const again = { ...full, since: "2026-01-01T00:05:00Z" };
  expect(unseen([again], dismissed)).toEqual([again]);
});

test("unseen_Several_AreTheLatestFirst", () => {
  const later = { ...full, code: "halted", since: "2026-01-02T00:00:00.5Z" };
  expect(unseen([full, later], new Set()).map(({ code }) => code)).toEqual(["halted", "scratch-full"]);
});

test("warningTitle_AnyCode_IsReadable", () => {
  expect(["scratch-full", "disk-full", "halted", "some-thing-new", "constructor"].map(warningTitle)).toEqual([
    "disk nearly full",
    "server’s disk nearly full",
    "halted",
    "some thing new",
    "constructor",
  ]);
});

test("warningsOf_Rubbish_IsNone", () => {
  expect(warningsOf({ warnings: [full] })).toEqual([full]);
  expect([null, {}, { warnings: 1 }, "x"].map(warningsOf)).toEqual([null, null, null, null]);
});
