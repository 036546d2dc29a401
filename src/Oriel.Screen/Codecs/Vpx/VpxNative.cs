using System.Runtime.InteropServices;
using Oriel.Screen.Native;

namespace Oriel.Screen.Codecs.Vpx;

/// <summary>
/// Raw libvpx, and the offsets of its structs on 64-bit Linux (libvpx 1.12 to 1.15; checked at start by <see cref="VpxLayout"/>).
/// </summary>
internal static unsafe partial class VpxNative
{
    internal const int AbiMismatch = 3;
    internal const int ContextSize = 128,
        ConfigSize = 4096,
        ImageSize = 512;
    internal const int ImageFormatI420 = 0x102;
    internal const int SetActiveMap = 9,
        SetCpuUsed = 13,
        SetNoiseSensitivity = 15,
        SetStaticThreshold = 17,
        SetTokenPartitions = 18,
        GetLastQuantizer = 19,
        SetMaxIntraBitratePercent = 26,
        SetScreenContentMode = 31;
    internal const nint ForceKeyFrame = 1;
    internal const nuint DeadlineRealtime = 1;

    [LibraryImport(NativeLibraries.Vpx)]
    internal static partial nint vpx_codec_version_str();

    [LibraryImport(NativeLibraries.Vpx)]
    internal static partial nint vpx_codec_vp8_cx();

    [LibraryImport(NativeLibraries.Vpx)]
    internal static partial nint vpx_codec_vp8_dx();

    [LibraryImport(NativeLibraries.Vpx)]
    internal static partial int vpx_codec_enc_config_default(nint iface, byte* config, uint usage);

    [LibraryImport(NativeLibraries.Vpx)]
    internal static partial int vpx_codec_enc_init_ver(byte* context, nint iface, byte* config, nint flags, int version);

    [LibraryImport(NativeLibraries.Vpx)]
    internal static partial int vpx_codec_dec_init_ver(byte* context, nint iface, byte* config, nint flags, int version);

    [LibraryImport(NativeLibraries.Vpx)]
    internal static partial int vpx_codec_enc_config_set(byte* context, byte* config);

    [LibraryImport(NativeLibraries.Vpx)]
    internal static partial int vpx_codec_encode(byte* context, byte* image, long pts, nuint duration, nint flags, nuint deadline);

    [LibraryImport(NativeLibraries.Vpx)]
    internal static partial byte* vpx_codec_get_cx_data(byte* context, nint* iterator);

    [LibraryImport(NativeLibraries.Vpx)]
    internal static partial int vpx_codec_decode(byte* context, byte* data, uint size, nint user, nint deadline);

    [LibraryImport(NativeLibraries.Vpx)]
    internal static partial byte* vpx_codec_get_frame(byte* context, nint* iterator);

    [LibraryImport(NativeLibraries.Vpx)]
    internal static partial int vpx_codec_destroy(byte* context);

    [LibraryImport(NativeLibraries.Vpx)]
    internal static partial byte* vpx_img_wrap(byte* image, int format, uint width, uint height, uint align, byte* data);

    [LibraryImport(NativeLibraries.Vpx)]
    internal static partial nint vpx_codec_error_detail(byte* context);

    // Variadic in C; on x86-64 a call with integers and pointers only is the same as this one.
    [LibraryImport(NativeLibraries.Vpx)]
    internal static partial int vpx_codec_control_(byte* context, int control, nint value);
}

/// <summary>Offsets in <c>vpx_codec_enc_cfg_t</c>.</summary>
internal static class VpxConfig
{
    internal const int Threads = 4,
        Width = 12,
        Height = 16,
        TimebaseNumerator = 28,
        TimebaseDenominator = 32,
        ErrorResilient = 36,
        Pass = 40,
        LagInFrames = 44,
        DropFrameThreshold = 48,
        ResizeAllowed = 52,
        EndUsage = 72,
        TargetBitrate = 112,
        MinQuantizer = 116,
        MaxQuantizer = 120,
        UndershootPercent = 124,
        OvershootPercent = 128,
        BufferSize = 132,
        BufferInitialSize = 136,
        BufferOptimalSize = 140,
        KeyFrameMode = 160,
        KeyFrameMinDistance = 164,
        KeyFrameMaxDistance = 168;
}

/// <summary>Offsets in <c>vpx_image_t</c> and in a frame packet of <c>vpx_codec_cx_pkt_t</c>.</summary>
internal static class VpxOffsets
{
    internal const int ImageDisplayWidth = 24,
        ImageDisplayHeight = 28,
        ImagePlanes = 48,
        ImageStrides = 80;
    internal const int PacketKind = 0,
        PacketBuffer = 8,
        PacketSize = 16,
        PacketFlags = 40;
}
