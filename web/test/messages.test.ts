import { describe, expect, test } from "vitest";
import { codecString, headerLength, parseAccessUnit } from "../packages/oriel-desktop/src/annexb.js";
import { isTooLong, mostBytes, mostPiece, PieceJoiner, toPieces } from "../packages/oriel-desktop/src/clipboard-pieces.js";
import { parseControlText, unwrapControl, wrap } from "../packages/oriel-desktop/src/messages.js";
import { textDiff } from "../packages/oriel-desktop/src/text-diff.js";

describe("messages", () => {
  test("wrap_EachChannel_IsTheProtocolsShape", () => {
    expect(wrap("input", { t: "text", text: "é" })).toBe('{"c":"input","m":{"t":"text","text":"é"}}');
    expect(wrap("pointer", { x: 1, y: 2 })).toBe('{"c":"pointer","m":{"x":1,"y":2}}');
    expect(wrap("ack", { captureUs: 7 })).toBe('{"c":"ack","m":{"captureUs":7}}');
  });

  test("unwrapControl_Wrapped_GivesTheMessage", () => {
    expect(unwrapControl('{"c":"control","m":{"t":"pong","id":3}}')).toEqual({ t: "pong", id: 3 });
    expect(unwrapControl('{"t":"pong","id":3}')).toEqual({ t: "pong", id: 3 });
  });

  test.each([
    "",
    "null",
    "[]",
    "{",
    '"x"',
    '{"t":"pong"}',
    '{"t":"pong","id":"3"}',
    '{"t":"toString"}',
    '{"t":"size","width":1}',
    '{"c":"input","m":{"t":"pong","id":1}}',
    '{"c":"control","m":null}',
  ])("unwrapControl_Bad_%s_IsNull", (text) => {
    expect(unwrapControl(text)).toBeNull();
    expect(parseControlText(text)).toBeNull();
  });
});

describe("access units", () => {
  function unit(flags: number, payload: number[], version = 1): ArrayBuffer {
    const bytes = new Uint8Array(headerLength + payload.length);
    const view = new DataView(bytes.buffer);
    view.setUint8(0, version);
    view.setUint8(1, flags);
    view.setUint16(2, 1280);
    view.setUint16(4, 720);
    view.setBigUint64(8, 123_456n);
    bytes.set(payload, headerLength);
    return bytes.buffer;
  }

  test("parseAccessUnit_KeyFrame_GivesHeaderAndData", () => {
    const parsed = parseAccessUnit(unit(1, [9, 8]));
    expect(parsed).toMatchObject({ key: true, width: 1280, height: 720, captureUs: 123_456 });
    expect([...(parsed?.data ?? [])]).toEqual([9, 8]);
  });

  test("parseAccessUnit_CutOrOtherVersion_IsNull", () => {
    expect(parseAccessUnit(new ArrayBuffer(16))).toBeNull();
    expect(parseAccessUnit(new ArrayBuffer(0))).toBeNull();
    expect(parseAccessUnit(unit(0, [1], 2))).toBeNull();
  });

  test("codecString_ParameterSet_NamesProfileAndLevel", () => {
    expect(codecString(Uint8Array.from([0, 0, 0, 1, 9, 16, 0, 0, 0, 1, 0x67, 0x42, 0xc0, 0x1f, 0xda]))).toBe("avc1.42c01f");
    expect(codecString(Uint8Array.from([0, 0, 1, 0x65, 1, 2, 3]))).toBeNull();
    expect(codecString(Uint8Array.from([0, 0, 1, 0x67]))).toBeNull();
  });
});

describe("clipboard pieces", () => {
  test.each([
    ["a", 1],
    ["é", 2],
    ["語", 3],
    ["😀", 4],
  ])("isTooLong_Of_%s_CountsBytes", (character, bytes) => {
    const most = Math.floor(mostBytes / bytes);
    expect(isTooLong(character.repeat(most))).toBe(false);
    expect(isTooLong(character.repeat(most + 1))).toBe(true);
  });

  test("toPieces_WholeBound_LosesNothing", () => {
    const text = "x".repeat(mostBytes);
    const joiner = new PieceJoiner();
    const joined = toPieces(text).map((piece) => joiner.add(piece.text, piece.more === true));
    expect(joined.at(-1)?.length).toBe(mostBytes);
  });

  test("toPieces_ShortOrEmpty_IsOne", () => {
    expect(toPieces("")).toEqual([{ t: "clipboard", text: "" }]);
    expect(toPieces("ab")).toEqual([{ t: "clipboard", text: "ab" }]);
  });

  test("toPieces_Long_JoinsToTheSameAndNeverCutsAPair", () => {
    const text = "x" + "😀".repeat(40_000);
    const pieces = toPieces(text);
    expect(pieces.length).toBe(3);
    expect(pieces.every((piece) => piece.text.length <= mostPiece)).toBe(true);
    expect(pieces.every((piece) => piece.text.isWellFormed())).toBe(true);
    const joiner = new PieceJoiner();
    const results = pieces.map((piece) => joiner.add(piece.text, piece.more === true));
    expect(results).toEqual([null, null, text]);
  });

  test("add_WithoutBound_IsThrownAwayWhole", () => {
    const joiner = new PieceJoiner();
    for (let i = 0; i < 100; i++) joiner.add("x".repeat(mostPiece), true);
    expect(joiner.add("end", false)).toBeNull();
    expect(joiner.add("next", false)).toBe("next");
  });
});

describe("textDiff", () => {
  const backspace = [
    { t: "key", code: "Backspace", key: "Backspace", down: true },
    { t: "key", code: "Backspace", key: "Backspace", down: false },
  ];

  test("textDiff_Typed_IsText", () => expect(textDiff("  ", "  hé😀")).toEqual([{ t: "text", text: "hé😀" }]));
  test("textDiff_Deleted_IsBackspaceForEachCharacter", () => expect(textDiff("a😀", "a")).toEqual(backspace));
  test("textDiff_Corrected_TakesBackWhatDiffers", () => {
    expect(textDiff("teh", "the")).toEqual([...backspace, ...backspace, { t: "text", text: "he" }]);
  });
  test("textDiff_LineBreak_IsEnter", () => {
    expect(textDiff("", "a\nb").map((message) => (message.t === "text" ? message.text : message.t === "key" ? message.code : ""))).toEqual([
      "a",
      "Enter",
      "Enter",
      "b",
    ]);
  });
});
