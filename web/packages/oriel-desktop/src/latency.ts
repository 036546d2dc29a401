import type { ShownFrame } from "./link.js";
import type { FrameMessage } from "./messages.js";

export const stageNames = ["capture", "encode", "network", "decode", "display"] as const;
export type Stage = (typeof stageNames)[number];
export type Stages = Record<Stage, number>;

/** Remembered frames of either side while the other's half is on its way. */
const remembered = 120;

/**
 * Joins what the guest says of a sampled frame with what the browser says of the same frame (by RTP timestamp), in
 * milliseconds: capture and encode are the guest's; network is guest → server → page (half of the round trip); decode is the
 * decoder's time; display the wait from there to the screen, jitter buffer included.
 */
export class LatencyStages {
  readonly #shown = new Map<number, ShownFrame>();
  readonly #sampled = new Map<number, FrameMessage>();
  #newest: FrameMessage | null = null;

  shown(frame: ShownFrame, rttMs: number | null): Stages | null {
    if (frame.rtp === null) {
      // The WebSocket keeps messages and frames in order, so the newest sample is of this frame or the one before.
      const message = this.#newest;
      this.#newest = null;
      return message && stagesOf(message, frame, rttMs);
    }
    const message = this.#sampled.get(frame.rtp);
    if (message) {
      this.#sampled.delete(frame.rtp);
      return stagesOf(message, frame, rttMs);
    }
    keep(this.#shown, frame.rtp, frame);
    return null;
  }

  sampled(message: FrameMessage, rttMs: number | null): Stages | null {
    const frame = this.#shown.get(message.rtp);
    if (frame) {
      this.#shown.delete(message.rtp);
      return stagesOf(message, frame, rttMs);
    }
    keep(this.#sampled, message.rtp, message);
    this.#newest = message;
    return null;
  }

  clear(): void {
    this.#newest = null;
    this.#shown.clear();
    this.#sampled.clear();
  }
}

export function stagesOf(message: FrameMessage, frame: ShownFrame, rttMs: number | null): Stages {
  const waited = frame.receivedAt === null ? frame.decodeMs : frame.displayAt - frame.receivedAt;
  return {
    capture: ms(message.damageUs) + ms(message.captureUs),
    encode: ms(message.encodeUs),
    network: ms(message.sendUs) + Math.max(0, rttMs ?? 0) / 2,
    decode: Math.max(0, frame.decodeMs),
    display: Math.max(0, waited - frame.decodeMs),
  };
}

export function total(stages: Stages): number {
  return stageNames.reduce((sum, name) => sum + stages[name], 0);
}

/** The median of each stage over the last samples: one slow frame does not make the picture jump. */
export class StageHistory {
  readonly #samples: Stages[] = [];

  constructor(private readonly length = 60) {}

  get samples(): readonly Stages[] {
    return this.#samples;
  }

  add(stages: Stages): void {
    this.#samples.push(stages);
    if (this.#samples.length > this.length) this.#samples.shift();
  }

  typical(): Stages | null {
    if (this.#samples.length === 0) return null;
    const result = {} as Stages;
    for (const name of stageNames) {
      const sorted = this.#samples.map((sample) => sample[name]).sort((a, b) => a - b);
      result[name] = sorted[Math.floor((sorted.length - 1) / 2)] ?? 0;
    }
    return result;
  }

  clear(): void {
    this.#samples.length = 0;
  }
}

function ms(us: number | undefined): number {
  return typeof us === "number" && us > 0 ? us / 1000 : 0;
}

function keep<T>(map: Map<number, T>, key: number, value: T): void {
  map.set(key, value);
  if (map.size > remembered) {
    const oldest = map.keys().next().value;
    if (oldest !== undefined) map.delete(oldest);
  }
}
