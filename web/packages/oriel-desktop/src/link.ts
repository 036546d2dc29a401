import type { ControlEvent, ControlRequest, InputMessage } from "./messages.js";

export type CodecChoice = "auto" | "vp8" | "h264";
export type TransportChoice = "auto" | "udp" | "tcp" | "websocket";

/** Why a link ended. `blocked`: WebRTC never came up, so another transport should be tried. */
export type LinkEnd = "closed" | "lost" | "blocked";

/** What a link tells its owner. */
export interface LinkEvents {
  control(event: ControlEvent): void;
  /** The path is interrupted and being mended, or is back. */
  interrupted(interrupted: boolean): void;
  frame(frame: ShownFrame): void;
}

/** One frame on its way to the screen; times are milliseconds. `rtp` and `received` are unknown (null) where the browser does not tell. */
export interface ShownFrame {
  rtp: number | null;
  width: number;
  height: number;
  receivedAt: number | null;
  decodeMs: number;
  displayAt: number;
}

/** One connected way to a desktop: WebRTC or the WebSocket. */
export interface Link {
  readonly kind: "webrtc" | "websocket";
  /** Resolves when the link is over; never rejects. */
  readonly ended: Promise<LinkEnd>;
  input(message: InputMessage): void;
  control(message: ControlRequest): void;
  pointer(x: number, y: number): void;
  /** Numbers for the overlay. */
  sample(): Promise<LinkSample>;
  /** The page woke up: look at the path. `suspect`: the network changed or answers stay away, so mend it even if it seems well. */
  check(suspect: boolean): void;
  close(): Promise<void>;
}

export interface LinkSample {
  at: number;
  bytes: number;
  frames: number;
  dropped: number;
  rttMs: number | null;
  transport: string;
  codec: string;
  jitterBufferMs: number | null;
  freezes: number;
}
