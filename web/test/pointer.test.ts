import { describe, expect, test } from "vitest";
import { containedBox, desktopSizeFor, toGuest } from "../packages/oriel-desktop/src/geometry.js";
import { PointerPackets } from "../packages/oriel-desktop/src/pointer-packet.js";
import { TouchGestures, type TouchAction } from "../packages/oriel-desktop/src/touch.js";

describe("PointerPackets", () => {
  test("encode_Moves_CountUpBigEndian", () => {
    const packets = new PointerPackets();
    expect([...packets.encode(1, 2)]).toEqual([0, 0, 0, 1, 0, 1, 0, 2]);
    expect([...packets.encode(0x1234, 0x0506)]).toEqual([0, 0, 0, 2, 0x12, 0x34, 5, 6]);
  });

  test("encode_EndOfSequence_Wraps", () => {
    const packets = new PointerPackets();
    packets.startAt(0xffff_ffff);
    expect([...packets.encode(0, 0).slice(0, 4)]).toEqual([0, 0, 0, 0]);
  });

  test("encode_OutsideOfRange_IsClamped", () => {
    expect([...new PointerPackets().encode(-5, 1e9).slice(4)]).toEqual([0, 0, 0xff, 0xff]);
  });
});

describe("geometry", () => {
  test("toGuest_LetterboxedPicture_MapsEdgesToEdges", () => {
    const picture = containedBox({ left: 0, top: 0, width: 1400, height: 720 }, { width: 1280, height: 720 });
    expect(picture).toEqual({ left: 60, top: 0, width: 1280, height: 720 });
    expect(toGuest(60, 0, picture, { width: 1280, height: 720 })).toEqual({ x: 0, y: 0 });
    expect(toGuest(1339.9, 719.9, picture, { width: 1280, height: 720 })).toEqual({ x: 1279, y: 719 });
    expect(toGuest(0, 900, picture, { width: 1280, height: 720 })).toEqual({ x: 0, y: 719 });
  });

  test("toGuest_NoPictureYet_IsTheCorner", () => {
    expect(toGuest(5, 5, { left: 0, top: 0, width: 0, height: 0 }, { width: 0, height: 0 })).toEqual({ x: 0, y: 0 });
  });

  test("desktopSizeFor_PixelRatios_AreSharpAndEven", () => {
    expect(desktopSizeFor({ width: 1001, height: 701 }, 1)).toEqual({ width: 1000, height: 700 });
    expect(desktopSizeFor({ width: 1000, height: 700 }, 2)).toEqual({ width: 1000, height: 700 });
    expect(desktopSizeFor({ width: 1000, height: 700 }, 1.5)).toEqual({ width: 1500, height: 1050 });
    expect(desktopSizeFor({ width: 100, height: 9000 }, Number.NaN)).toEqual({ width: 320, height: 2160 });
  });
});

describe("TouchGestures", () => {
  function recogniser(): { touch: TouchGestures; actions: TouchAction[] } {
    const actions: TouchAction[] = [];
    return { touch: new TouchGestures((action) => actions.push(action)), actions };
  }

  const button = (x: number, y: number, which: number, down: boolean) => ({ kind: "button", x, y, button: which, down });

  test("tap_FingerBarelyMoves_Clicks", () => {
    const { touch, actions } = recogniser();
    touch.start(1, 100, 100);
    touch.move(1, 103, 98);
    touch.end(1);
    expect(actions).toEqual([{ kind: "move", x: 100, y: 100 }, button(100, 100, 0, true), button(100, 100, 0, false)]);
  });

  test("drag_FingerMovesAway_HoldsTheLeftButtonFromItsStart", () => {
    const { touch, actions } = recogniser();
    touch.start(1, 10, 10);
    touch.move(1, 40, 10);
    touch.end(1);
    expect(actions.slice(1)).toEqual([button(10, 10, 0, true), { kind: "move", x: 40, y: 10 }, button(40, 10, 0, false)]);
  });

  test("longPress_FingerRests_ClicksRightOnce", () => {
    const { touch, actions } = recogniser();
    touch.start(1, 7, 8);
    expect(touch.waitsForLongPress).toBe(true);
    touch.longPress();
    touch.end(1);
    expect(actions.slice(1)).toEqual([button(7, 8, 2, true), button(7, 8, 2, false)]);
  });

  test("twoFingers_MoveTogether_ScrollByTheirWay", () => {
    const { touch, actions } = recogniser();
    touch.start(1, 0, 100);
    touch.start(2, 50, 100);
    touch.move(1, 0, 80);
    touch.move(2, 50, 80);
    touch.end(1);
    touch.end(2);
    const scrolls = actions.filter((action) => action.kind === "scroll");
    expect(scrolls.reduce((sum, { dy }) => sum + dy, 0)).toBe(20);
    expect(actions.some(({ kind }) => kind === "button")).toBe(false);
  });

  test("cancel_WhileDragging_LiftsTheButton", () => {
    const { touch, actions } = recogniser();
    touch.start(1, 0, 0);
    touch.move(1, 30, 0);
    touch.cancel(1);
    expect(actions.at(-1)).toEqual(button(30, 0, 0, false));
  });
});
