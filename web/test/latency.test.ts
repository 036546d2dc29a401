import { expect, test } from "vitest";
import { LatencyStages, StageHistory, stagesOf, total } from "../packages/oriel-desktop/src/latency.js";
import { ratesOf } from "../packages/oriel-desktop/src/latency-view.js";
import { readSample } from "../packages/oriel-desktop/src/sample.js";
import type { ShownFrame } from "../packages/oriel-desktop/src/link.js";
import type { FrameMessage } from "../packages/oriel-desktop/src/messages.js";

const message = (rtp: number): FrameMessage => ({
  t: "frame",
  rtp,
  damageUs: 500,
  captureUs: 900,
  encodeUs: 6100,
  sendUs: 200,
  bytes: 1,
  q: 1,
});
const frame = (rtp: number): ShownFrame => ({ rtp, width: 1, height: 1, receivedAt: 100, decodeMs: 3, displayAt: 112 });

test("stagesOf_BothHalves_AddUpToTheWhole", () => {
  const stages = stagesOf(message(1), frame(1), 2);
  expect(stages).toEqual({ capture: 1.4, encode: 6.1, network: 1.2, decode: 3, display: 9 });
  expect(total(stages)).toBeCloseTo(20.7);
});

test("stagesOf_ClocksThatContradict_AreNeverNegative", () => {
  const stages = stagesOf({ ...message(1), sendUs: -5 }, { ...frame(1), displayAt: 50, decodeMs: -1 }, -3);
  expect(Object.values(stages).every((value) => value >= 0)).toBe(true);
});

test("join_EitherOrder_MatchesByTimestampOnce", () => {
  const join = new LatencyStages();
  expect(join.shown(frame(7), 0)).toBeNull();
  expect(join.sampled(message(8), 0)).toBeNull();
  expect(join.sampled(message(7), 0)).not.toBeNull();
  expect(join.shown(frame(8), 0)).not.toBeNull();
  expect(join.shown(frame(8), 0)).toBeNull();
});

test("join_FrameWithoutTimestamp_TakesTheNewestSampleOnce", () => {
  const join = new LatencyStages();
  join.sampled(message(1), 0);
  expect(join.shown({ ...frame(1), rtp: null }, 0)?.encode).toBe(6.1);
  expect(join.shown({ ...frame(1), rtp: null }, 0)).toBeNull();
});

test("join_OldHalves_AreForgotten", () => {
  const join = new LatencyStages();
  for (let rtp = 0; rtp < 200; rtp++) join.shown(frame(rtp), 0);
  expect(join.sampled(message(0), 0)).toBeNull();
  expect(join.sampled(message(199), 0)).not.toBeNull();
});

test("typical_OneSlowFrame_DoesNotCount", () => {
  const history = new StageHistory(5);
  for (const encode of [5, 6, 500, 6, 7, 6]) history.add({ capture: 1, encode, network: 0, decode: 0, display: 0 });
  expect(history.samples.length).toBe(5);
  expect(history.typical()?.encode).toBe(6);
});

test("readSample_Report_FindsPairAndCodec", () => {
  const entries = [
    {
      type: "inbound-rtp",
      id: "I",
      kind: "video",
      timestamp: 1000,
      bytesReceived: 10,
      framesDecoded: 3,
      framesDropped: 1,
      codecId: "C",
      jitterBufferDelay: 0.03,
      jitterBufferEmittedCount: 3,
      freezeCount: 0,
    },
    { type: "codec", id: "C", mimeType: "video/VP8" },
    { type: "transport", id: "T", selectedCandidatePairId: "P" },
    { type: "candidate-pair", id: "P", currentRoundTripTime: 0.004, remoteCandidateId: "R" },
    { type: "remote-candidate", id: "R", protocol: "tcp" },
  ];
  const sample = readSample({ forEach: (visit) => entries.forEach((entry) => visit(entry)) });
  expect(sample).toMatchObject({ bytes: 10, frames: 3, rttMs: 4, transport: "TCP", codec: "VP8" });
  expect(sample.jitterBufferMs).toBeCloseTo(10);
  const rates = ratesOf(sample, { ...sample, at: 3000, frames: 63, bytes: 250_010 });
  expect(rates.fps).toBe(30);
  expect(rates.bitsPerSecond).toBe(1_000_000);
});

test("readSample_EmptyReport_IsZero", () => {
  expect(readSample({ forEach: () => undefined })).toMatchObject({ bytes: 0, frames: 0, rttMs: null, jitterBufferMs: null });
});
