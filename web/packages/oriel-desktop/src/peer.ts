import type { CodecChoice, Link, LinkEnd, LinkEvents, LinkSample } from "./link.js";
import { parseControlText, type ControlRequest, type InputMessage } from "./messages.js";
import { PointerPackets } from "./pointer-packet.js";
import { Scope } from "./scope.js";
import { applyRestart, onlyTransport, restartFragment } from "./sdp.js";
import { readSample } from "./sample.js";
import type { Whep, WhepSession } from "./signalling.js";

export interface PeerOptions {
  whep: Whep;
  video: HTMLVideoElement;
  codec: CodecChoice;
  only: "udp" | "tcp" | null;
  events: LinkEvents;
  /** Time for ICE and DTLS after the answer. */
  connectMs: number;
}

const restartMs = 5000;
/** Once ICE has found a path nothing blocks it: a slow machine gets this long for the rest. */
const patienceMs = 15_000;

/** The WebRTC link: one peer connection made by WHEP, and its three data channels. */
export class PeerLink implements Link {
  readonly kind = "webrtc";
  readonly ended: Promise<LinkEnd>;
  readonly #peer = new RTCPeerConnection({ bundlePolicy: "max-bundle", iceServers: [] });
  readonly #scope = new Scope();
  readonly #pointerChannel: RTCDataChannel;
  readonly #inputChannel: RTCDataChannel;
  readonly #controlChannel: RTCDataChannel;
  readonly #packets = new PointerPackets();
  /** Control messages of before the channel is open; only the newest of each kind counts. */
  readonly #waiting = new Map<string, ControlRequest>();
  #session: WhepSession | null = null;
  #end!: (why: LinkEnd) => void;
  #restarting = false;
  #over = false;

  private constructor(private readonly options: PeerOptions) {
    this.ended = new Promise((resolve) => (this.#end = resolve));
    this.#pointerChannel = this.#peer.createDataChannel("pointer", { ordered: false, maxRetransmits: 0 });
    this.#inputChannel = this.#peer.createDataChannel("input", { ordered: true });
    this.#controlChannel = this.#peer.createDataChannel("control", { ordered: true });
  }

  /** Resolves with a link on which ICE and DTLS are up; null when WebRTC does not get through. Throws what WHEP throws. */
  static async open(options: PeerOptions, signal: AbortSignal): Promise<PeerLink | null> {
    const link = new PeerLink(options);
    try {
      return (await link.#start(signal)) ? link : (await link.close(), null);
    } catch (error) {
      await link.close();
      throw error;
    }
  }

  input(message: InputMessage): void {
    if (this.#inputChannel.readyState === "open") this.#inputChannel.send(JSON.stringify(message));
  }

  control(message: ControlRequest): void {
    if (this.#controlChannel.readyState === "open") this.#controlChannel.send(JSON.stringify(message));
    else if (!this.#over) this.#waiting.set(message.t, message);
  }

  pointer(x: number, y: number): void {
    if (this.#pointerChannel.readyState === "open") this.#pointerChannel.send(this.#packets.encode(x, y));
  }

  async sample(): Promise<LinkSample> {
    return readSample(await this.#peer.getStats());
  }

  check(suspect: boolean): void {
    if (suspect || this.#peer.connectionState !== "connected") void this.#restart();
  }

  async close(): Promise<void> {
    this.#finish("closed");
    const session = this.#session;
    this.#session = null;
    if (session) await this.options.whep.end(session);
  }

  async #start(signal: AbortSignal): Promise<boolean> {
    const { whep, video, codec, only, connectMs } = this.options;
    const transceiver = this.#peer.addTransceiver("video", { direction: "recvonly" });
    preferCodec(transceiver, codec);
    shortenBuffer(transceiver.receiver);
    this.#listen(video);

    await this.#peer.setLocalDescription();
    const session = await whep.offer(this.#peer.localDescription?.sdp ?? "", signal);
    this.#session = session;
    if (only) session.answer = onlyTransport(session.answer, only);
    await this.#peer.setRemoteDescription({ type: "answer", sdp: session.answer });
    const opened = this.#opened();
    return (await this.#connected(connectMs, signal)) && (await within(patienceMs, AbortSignal.any([signal, this.#scope.signal]), opened));
  }

  /** All three data channels are open: from here on nothing that a person does is lost. */
  async #opened(): Promise<void> {
    const channels = [this.#pointerChannel, this.#inputChannel, this.#controlChannel];
    await Promise.all(channels.map((channel) => new Promise((resolve) => this.#scope.on(channel, "open", resolve))));
  }

  #listen(video: HTMLVideoElement): void {
    const scope = this.#scope;
    scope.on<RTCTrackEvent>(this.#peer, "track", (event) => {
      shortenBuffer(event.receiver);
      video.srcObject = event.streams[0] ?? new MediaStream([event.track]);
      // A refusal to play (page not yet touched) cannot happen to a muted video; the picture would just come with the first click.
      video.play().catch(() => undefined);
    });
    scope.on<MessageEvent>(this.#controlChannel, "message", ({ data }) => {
      const event = typeof data === "string" ? parseControlText(data) : null;
      if (event) this.options.events.control(event);
    });
    scope.on(this.#controlChannel, "open", () => {
      for (const message of this.#waiting.values()) this.control(message);
      this.#waiting.clear();
    });
    scope.on(this.#controlChannel, "close", () => this.#finish("lost"));
    scope.on(this.#peer, "connectionstatechange", () => this.#stateChanged());
    this.#watchFrames(video);
    scope.onClose(() => {
      if (video.srcObject) video.srcObject = null;
    });
  }

  #watchFrames(video: HTMLVideoElement): void {
    let handle = 0;
    const next = (_now: number, frame: VideoFrameCallbackMetadata) => {
      if (this.#over) return;
      handle = video.requestVideoFrameCallback(next);
      this.options.events.frame({
        rtp: frame.rtpTimestamp ?? null,
        width: frame.width,
        height: frame.height,
        receivedAt: frame.receiveTime ?? null,
        decodeMs: (frame.processingDuration ?? 0) * 1000,
        displayAt: frame.expectedDisplayTime,
      });
    };
    handle = video.requestVideoFrameCallback(next);
    this.#scope.onClose(() => video.cancelVideoFrameCallback(handle));
  }

  #stateChanged(): void {
    const state = this.#peer.connectionState;
    if (state === "connected") this.options.events.interrupted(false);
    else if (state === "closed") this.#finish("lost");
    else if ((state === "disconnected" || state === "failed") && this.#session) void this.#restart();
  }

  /** ICE restart by PATCH; a server that no longer knows this viewer, or a path that stays dead, ends the link. */
  async #restart(): Promise<void> {
    const session = this.#session;
    if (this.#restarting || this.#over || !session || !this.#wasConnected) return;
    this.#restarting = true;
    this.options.events.interrupted(true);
    try {
      await this.#peer.setLocalDescription(await this.#peer.createOffer({ iceRestart: true }));
      const signal = AbortSignal.any([this.#scope.signal, AbortSignal.timeout(restartMs)]);
      const fragment = await this.options.whep.restart(session, restartFragment(this.#peer.localDescription?.sdp ?? ""), signal);
      if (fragment === null) throw new Error("The server did not restart ICE.");
      session.answer = applyRestart(session.answer, this.options.only ? onlyTransport(fragment, this.options.only) : fragment);
      await this.#peer.setRemoteDescription({ type: "answer", sdp: session.answer });
      if (!(await this.#connected(restartMs, this.#scope.signal))) throw new Error("The path stayed dead.");
      this.options.events.interrupted(false);
    } catch {
      this.#finish("lost");
    } finally {
      this.#restarting = false;
    }
  }

  #wasConnected = false;

  #connected(ms: number, signal: AbortSignal): Promise<boolean> {
    return new Promise((resolve) => {
      const done = (result: boolean) => {
        clearTimeout(timer);
        this.#peer.removeEventListener("connectionstatechange", look);
        this.#peer.removeEventListener("iceconnectionstatechange", look);
        signal.removeEventListener("abort", aborted);
        this.#wasConnected ||= result;
        resolve(result);
      };
      const iceUp = () => ["connected", "completed"].includes(this.#peer.iceConnectionState);
      const look = () => {
        const { connectionState } = this.#peer;
        if (connectionState === "connected" && iceUp()) done(true);
        else if (connectionState === "failed" || connectionState === "closed") done(false);
      };
      const aborted = () => done(false);
      let timer = setTimeout(() => {
        if (iceUp()) timer = setTimeout(aborted, patienceMs);
        else aborted();
      }, ms);
      this.#peer.addEventListener("connectionstatechange", look);
      this.#peer.addEventListener("iceconnectionstatechange", look);
      signal.addEventListener("abort", aborted);
      if (signal.aborted) aborted();
      else look();
    });
  }

  #finish(why: LinkEnd): void {
    if (this.#over) return;
    this.#over = true;
    this.#scope.close();
    this.#peer.close();
    this.#end(why);
  }
}

/** Answers whether it came about in time. */
function within(ms: number, signal: AbortSignal, event: Promise<void>): Promise<boolean> {
  const late = AbortSignal.any([signal, AbortSignal.timeout(ms)]);
  return new Promise((resolve) => {
    late.addEventListener("abort", () => resolve(false));
    if (late.aborted) resolve(false);
    void event.then(() => resolve(true));
  });
}

function preferCodec(transceiver: RTCRtpTransceiver, codec: CodecChoice): void {
  if (codec === "auto" || !("setCodecPreferences" in transceiver)) return;
  const all = RTCRtpReceiver.getCapabilities("video")?.codecs ?? [];
  const wanted = `video/${codec}`;
  const kept = all.filter(({ mimeType }) => [wanted, "video/rtx"].includes(mimeType.toLowerCase()));
  if (kept.some(({ mimeType }) => mimeType.toLowerCase() === wanted)) transceiver.setCodecPreferences(kept);
}

/** A frame is shown as soon as it is decoded; the browser's default is to even out the flow at the price of delay. */
function shortenBuffer(receiver: RTCRtpReceiver): void {
  const tuned = receiver as RTCRtpReceiver & { jitterBufferTarget?: number | null; playoutDelayHint?: number | null };
  if ("jitterBufferTarget" in tuned) tuned.jitterBufferTarget = 0;
  if ("playoutDelayHint" in tuned) tuned.playoutDelayHint = 0;
}
