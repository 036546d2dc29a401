using Oriel.Protocol.Display;
using Oriel.Screen.Codecs;
using Oriel.Screen.Codecs.H264;
using Oriel.Screen.Codecs.Vpx;
using Oriel.Screen.Native;

namespace Oriel.Agent.Encoding;

/// <summary>The encoders of this agent, by the codec that a viewer asked for.</summary>
internal static class VideoEncoders
{
    private static readonly Lazy<bool> HasOpenH264 = new(() => NativeLibraries.IsAvailable(NativeLibraries.OpenH264));

    internal static bool IsSupported(Codec codec) =>
        codec is Codec.Vp8 || codec is Codec.H264 && (HasOpenH264.Value || NativeLibraries.IsAvailable(NativeLibraries.X264));

    internal static IVideoEncoder Create(Codec codec, int width, int height, int bitrate, int maxFps) =>
        codec switch
        {
            Codec.Vp8 => new Vp8Encoder(width, height, bitrate, maxFps),
            Codec.H264 when !HasOpenH264.Value => new X264Encoder(width, height, bitrate, maxFps),
            Codec.H264 => new OpenH264Encoder(width, height, bitrate, maxFps),
            _ => throw new ArgumentOutOfRangeException(nameof(codec), codec, null),
        };

    /// <summary>The quantizer from which on a still picture is worth another, better frame; on the codec's own scale.</summary>
    internal static int CoarseQuantizer(Codec codec) => codec is Codec.Vp8 ? 10 : OpenH264Encoder.MinQuantizer;

    /// <summary>
    /// The quantizer up to which the unchanged rest of a screen is left out of a frame. Above it the rest is sharpened along with what
    /// changes, or it would stay blurred for as long as anything moves.
    /// </summary>
    internal static int LeaveOutQuantizer(Codec codec) => codec is Codec.Vp8 ? 32 : 28;
}
