namespace Oriel.WebRtc.Video;

/// <summary>One encoded frame.</summary>
/// <param name="Data">A VP8 frame or an H.264 access unit (Annex B). It is held for resends without a copy, so it must not change
/// afterwards. One frame may go to many peers.</param>
/// <param name="RtpTimestamp">90 kHz, wraps.</param>
/// <param name="IsKeyFrame">Decodable without an earlier frame.</param>
/// <param name="Width">Pixels.</param>
/// <param name="Height">Pixels.</param>
public readonly record struct EncodedVideo(ReadOnlyMemory<byte> Data, uint RtpTimestamp, bool IsKeyFrame, int Width, int Height);
