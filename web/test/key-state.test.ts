import { describe, expect, test } from "vitest";
import { chord, KeyState, platformOf, type KeyLike } from "../packages/oriel-desktop/src/key-state.js";

function key(code: string, name: string, more: Partial<KeyLike> = {}): KeyLike {
  return { code, key: name, repeat: false, isComposing: false, ctrlKey: false, altKey: false, shiftKey: false, metaKey: false, ...more };
}

const down = (code: string, name: string) => ({ t: "key", code, key: name, down: true });
const up = (code: string, name: string) => ({ t: "key", code, key: name, down: false });

describe("KeyState", () => {
  test("down_ThenUp_SendsBothOnce", () => {
    const state = new KeyState();
    expect(state.down(key("KeyA", "a")).messages).toEqual([down("KeyA", "a")]);
    expect(state.up(key("KeyA", "a")).messages).toEqual([up("KeyA", "a")]);
    expect(state.up(key("KeyA", "a")).messages).toEqual([]);
  });

  test("down_Repeat_IsTheSameKeyAgainButForModifiersAndKeysHeldBefore", () => {
    const state = new KeyState();
    state.down(key("ShiftLeft", "Shift", { shiftKey: true }));
    expect(state.down(key("ShiftLeft", "Shift", { shiftKey: true, repeat: true })).messages).toEqual([]);
    expect(state.down(key("KeyA", "a", { shiftKey: true, repeat: true })).messages).toEqual([]);
    state.down(key("KeyA", "A", { shiftKey: true }));
    expect(state.down(key("KeyA", "A", { shiftKey: true, repeat: true })).messages).toEqual([down("KeyA", "A")]);
    expect(state.up(key("KeyA", "A", { shiftKey: true })).messages).toEqual([up("KeyA", "A")]);
  });

  test("up_KeyChangedByShift_LiftsTheOneThatWentDown", () => {
    const state = new KeyState();
    state.down(key("ShiftLeft", "Shift", { shiftKey: true }));
    state.down(key("Digit1", "!", { shiftKey: true }));
    state.up(key("ShiftLeft", "Shift"));
    expect(state.up(key("Digit1", "1")).messages).toEqual([up("Digit1", "!")]);
    expect(state.held).toEqual([]);
  });

  test("releaseAll_KeysHeld_LiftsEachAndSaysSo", () => {
    const state = new KeyState();
    state.down(key("ControlLeft", "Control", { ctrlKey: true }));
    state.down(key("KeyC", "c", { ctrlKey: true }));
    expect(state.releaseAll()).toEqual([up("ControlLeft", "Control"), up("KeyC", "c"), { t: "release" }]);
    expect(state.releaseAll()).toEqual([]);
  });

  test("sync_ModifierWentUpElsewhere_IsLifted", () => {
    const state = new KeyState();
    state.down(key("AltLeft", "Alt", { altKey: true }));
    expect(state.sync(key("", "", { altKey: true }))).toEqual([]);
    expect(state.sync(key("", ""))).toEqual([up("AltLeft", "Alt")]);
  });

  test("down_NextKeyShowsMissedRelease_LiftsTheModifierFirst", () => {
    const state = new KeyState();
    state.down(key("MetaLeft", "Meta", { metaKey: true }));
    expect(state.down(key("KeyL", "l")).messages).toEqual([up("MetaLeft", "Meta"), down("KeyL", "l")]);
  });

  test("down_InputMethodOrDeadKey_IsLeftToTheField", () => {
    const state = new KeyState();
    for (const event of [
      key("KeyA", "Process"),
      key("KeyA", "a", { isComposing: true }),
      key("KeyA", "a", { keyCode: 229 }),
      key("Quote", "Dead"),
    ]) {
      expect(state.down(event)).toEqual({ messages: [], handled: false });
    }
  });

  test("down_LockKey_IsNotSent", () => {
    expect(new KeyState().down(key("CapsLock", "CapsLock")).messages).toEqual([]);
  });

  test("down_AltGrOnWindows_TakesTheInventedControlBack", () => {
    const state = new KeyState("windows");
    state.down(key("ControlLeft", "Control", { ctrlKey: true }));
    const both = { ctrlKey: true, altKey: true, getModifierState: (name: string) => name === "AltGraph" };
    expect(state.down(key("AltRight", "AltGraph", both)).messages).toEqual([up("ControlLeft", "Control"), down("AltRight", "AltGraph")]);
    expect(state.down(key("KeyQ", "@", both)).messages).toEqual([down("KeyQ", "@")]);
    expect(state.up(key("ControlLeft", "Control", both)).messages).toEqual([]);
  });

  test("down_AltGrElsewhere_StaysHeldWithoutTheAltFlag", () => {
    const state = new KeyState();
    const graph = { getModifierState: (name: string) => name === "AltGraph" };
    state.down(key("AltRight", "AltGraph", graph));
    expect(state.down(key("KeyE", "€", graph)).messages).toEqual([down("KeyE", "€")]);
    expect(state.held).toEqual(["AltRight", "KeyE"]);
  });

  test("command_OnMac_IsControlAndLiftsWhatItHid", () => {
    const state = new KeyState("mac");
    expect(state.down(key("MetaLeft", "Meta", { metaKey: true })).messages).toEqual([down("ControlLeft", "Control")]);
    state.down(key("KeyC", "c", { metaKey: true }));
    expect(state.up(key("MetaLeft", "Meta")).messages).toEqual([up("ControlLeft", "Control"), up("KeyC", "c")]);
  });

  test("chord_ControlAltShiftAlone_LeavesAndLiftsAll", () => {
    const state = new KeyState();
    state.down(key("ControlLeft", "Control", { ctrlKey: true }));
    state.down(key("AltLeft", "Alt", { ctrlKey: true, altKey: true }));
    state.down(key("ShiftLeft", "Shift", { ctrlKey: true, altKey: true, shiftKey: true }));
    const result = state.up(key("ShiftLeft", "Shift", { ctrlKey: true, altKey: true }));
    expect(result.leave).toBe(true);
    expect(state.held).toEqual([]);
  });

  test("chord_WithAnotherKey_IsAnOrdinaryShortcut", () => {
    const state = new KeyState();
    const all = { ctrlKey: true, altKey: true, shiftKey: true };
    state.down(key("ControlLeft", "Control", { ctrlKey: true }));
    state.down(key("AltLeft", "Alt", { ctrlKey: true, altKey: true }));
    state.down(key("ShiftLeft", "Shift", all));
    state.down(key("KeyT", "t", all));
    state.up(key("KeyT", "t", all));
    expect(state.up(key("ShiftLeft", "Shift", { ctrlKey: true, altKey: true })).leave).toBeUndefined();
  });

  test("down_PhoneKeyWithoutCode_IsAWholePress", () => {
    const state = new KeyState();
    expect(state.down(key("", "Enter")).messages).toEqual([down("Enter", "Enter"), up("Enter", "Enter")]);
    expect(state.down(key("", "Unidentified"))).toEqual({ messages: [], handled: false });
  });
});

test("chord_Keys_ReleasesInReverse", () => {
  expect(
    chord([
      { code: "ControlLeft", key: "Control" },
      { code: "KeyW", key: "w" },
    ]),
  ).toEqual([down("ControlLeft", "Control"), down("KeyW", "w"), up("KeyW", "w"), up("ControlLeft", "Control")]);
});

test("platformOf_NavigatorPlatforms_AreTold", () => {
  expect(["MacIntel", "iPhone", "Win32", "Linux x86_64", ""].map(platformOf)).toEqual(["mac", "mac", "windows", "other", "other"]);
});
