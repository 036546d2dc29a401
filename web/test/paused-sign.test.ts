import { afterEach, expect, test, vi } from "vitest";
import { isPauseShown, PausedSign } from "../src/ui/paused-sign.js";

afterEach(() => vi.unstubAllGlobals());

function signFor(id: string): PausedSign {
  const sign = new PausedSign();
  sign.desktopId = id;
  return sign;
}

test("isPauseShown_PausedThenResumed_ComesAndGoes", () => {
  expect([isPauseShown("ready", "playing"), isPauseShown("paused", "playing"), isPauseShown("ready", "playing")]).toEqual([
    false,
    true,
    false,
  ]);
});

test("isPauseShown_NoLink_LeavesTheWordToTheViewer", () => {
  const states = ["connecting", "interrupted", "reconnecting", "failed", "closed", undefined] as const;
  expect(states.map((state) => isPauseShown("paused", state))).not.toContain(true);
});

test("resume_Pressed_AsksTheServerAndSaysWhenItIsDone", async () => {
  const fetched = vi.fn(async () => Response.json({ id: "d-1", state: "ready" }));
  vi.stubGlobal("fetch", fetched);
  const sign = signFor("d-1");
  const resumed = vi.fn();
  sign.addEventListener("resumed", resumed);
  const done = sign.resume();
  expect(sign.busy).toBe(true);
  await done;
  expect(fetched).toHaveBeenCalledExactlyOnceWith("/api/desktops/d-1/resume", expect.objectContaining({ method: "POST" }));
  expect(resumed).toHaveBeenCalledOnce();
  expect([sign.busy, sign.problem]).toEqual([false, null]);
});

test("resume_Refused_SaysWhyUnlessSomebodyElseWasFaster", async () => {
  const sign = signFor("d-1");
  const refuse = (reason: string) => vi.stubGlobal("fetch", async () => Response.json({ reason, detail: "It cannot." }, { status: 409 }));
  refuse("not-possible-here");
  await sign.resume();
  expect([sign.busy, sign.problem]).toEqual([false, "It cannot."]);
  refuse("wrong-state");
  await sign.resume();
  expect([sign.busy, sign.problem]).toEqual([false, null]);
});
