using Oriel.Linux.Codecs;
using Oriel.Linux.H264;
using Oriel.Linux.Native;
using Oriel.Linux.Vpx;
using Oriel.Protocol.Display;

namespace Oriel.Agent.Encoding;

/// <summary>The encoders of this agent, by the codec that a viewer asked for.</summary>
internal static class VideoEncoders
{
    internal static bool IsSupported(Codec codec) => codec is Codec.Vp8 || codec is Codec.H264 && NativeLibraries.IsAvailable(NativeLibraries.OpenH264);

    internal static IVideoEncoder Create(Codec codec, int width, int height, int bitrate, int maxFps) => codec switch
    {
        Codec.Vp8 => new Vp8Encoder(width, height, bitrate, maxFps),
        Codec.H264 => new OpenH264Encoder(width, height, bitrate, maxFps),
        _ => throw new ArgumentOutOfRangeException(nameof(codec), codec, null),
    };

    /// <summary>The quantizer from which on a still picture is worth another, better frame; on the codec's own scale.</summary>
    internal static int CoarseQuantizer(Codec codec) => codec is Codec.Vp8 ? 10 : 20;
}
