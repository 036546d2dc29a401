/**
 * Pointer moves of the `pointer` channel: u32 sequence, u16 x, u16 y, big-endian. The channel is unordered and lossy, so the
 * receiver drops what is older than the last it saw; the sequence wraps at 2^32.
 */
export class PointerPackets {
  #sequence = 0;

  encode(x: number, y: number): Uint8Array<ArrayBuffer> {
    this.#sequence = (this.#sequence + 1) >>> 0;
    const packet = new Uint8Array(8);
    const view = new DataView(packet.buffer);
    view.setUint32(0, this.#sequence);
    view.setUint16(4, clamp16(x));
    view.setUint16(6, clamp16(y));
    return packet;
  }

  /** Lets tests start near the wrap. */
  startAt(sequence: number): void {
    this.#sequence = sequence >>> 0;
  }
}

function clamp16(value: number): number {
  return Math.min(0xffff, Math.max(0, Math.round(value)));
}
