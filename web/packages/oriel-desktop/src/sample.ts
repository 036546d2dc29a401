import type { LinkSample } from "./link.js";

type Report = Record<string, unknown> & { type: string };

/** The numbers of interest from RTCStatsReport (W3C webrtc-stats). Counters are since the start of the connection. */
export function readSample(report: { forEach(visit: (value: Report) => void): void }): LinkSample {
  const byId = new Map<string, Report>();
  let inbound: Report | undefined;
  let transport: Report | undefined;
  report.forEach((value) => {
    byId.set(String(value["id"]), value);
    if (value.type === "inbound-rtp" && value["kind"] === "video") inbound = value;
    if (value.type === "transport") transport = value;
  });
  const number = (from: Report | undefined, name: string) => (typeof from?.[name] === "number" ? (from[name] as number) : 0);
  const pair = transport ? byId.get(String(transport["selectedCandidatePairId"])) : undefined;
  const remote = pair ? byId.get(String(pair["remoteCandidateId"])) : undefined;
  const codec = inbound ? byId.get(String(inbound["codecId"])) : undefined;
  const emitted = number(inbound, "jitterBufferEmittedCount");
  return {
    at: number(inbound, "timestamp") || performance.now(),
    bytes: number(inbound, "bytesReceived"),
    frames: number(inbound, "framesDecoded"),
    dropped: number(inbound, "framesDropped"),
    rttMs: typeof pair?.["currentRoundTripTime"] === "number" ? pair["currentRoundTripTime"] * 1000 : null,
    transport: String(remote?.["protocol"] ?? "").toUpperCase() || "WebRTC",
    codec: String(codec?.["mimeType"] ?? "").replace(/^video\//i, ""),
    jitterBufferMs: emitted > 0 ? (number(inbound, "jitterBufferDelay") / emitted) * 1000 : null,
    freezes: number(inbound, "freezeCount"),
  };
}
