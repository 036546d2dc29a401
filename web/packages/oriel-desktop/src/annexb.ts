/** Access units of the WebSocket fallback (docs/protocol.md) and the codec string of their H.264 stream. */

export interface AccessUnit {
  key: boolean;
  width: number;
  height: number;
  captureUs: number;
  data: Uint8Array;
}

export const headerLength = 16;

/** Answers null when the header is cut off or of another version. */
export function parseAccessUnit(buffer: ArrayBuffer): AccessUnit | null {
  if (buffer.byteLength <= headerLength) return null;
  const view = new DataView(buffer);
  if (view.getUint8(0) !== 1) return null;
  return {
    key: (view.getUint8(1) & 1) !== 0,
    width: view.getUint16(2),
    height: view.getUint16(4),
    captureUs: Number(view.getBigUint64(8)),
    data: new Uint8Array(buffer, headerLength),
  };
}

/** `avc1.PPCCLL` (RFC 6381) from the first sequence parameter set; null when the unit has none. */
export function codecString(data: Uint8Array): string | null {
  for (let i = 0; i + 6 < data.length; i++) {
    if (data[i] !== 0 || data[i + 1] !== 0 || data[i + 2] !== 1) continue;
    if (((data[i + 3] ?? 0) & 0x1f) !== 7) continue;
    const hex = (at: number) => (data[at] ?? 0).toString(16).padStart(2, "0");
    return `avc1.${hex(i + 4)}${hex(i + 5)}${hex(i + 6)}`;
  }
  return null;
}
