using System.Runtime.InteropServices;

namespace Oriel.Screen.Codecs.Vpx;

/// <summary>
/// Finds the ABI numbers of the loaded libvpx and checks that its structs have the layout used here: the library's own default values must
/// be at the expected offsets.
/// </summary>
internal static unsafe class VpxLayout
{
    private const int HighestAbi = 200;
    private static readonly Lazy<(int Encoder, int Decoder)> Abi = new(Detect);

    /// <summary>VPX_ENCODER_ABI_VERSION of the library.</summary>
    /// <exception cref="PlatformNotSupportedException">The library's layout differs; the message names the field.</exception>
    internal static int EncoderAbi => Abi.Value.Encoder;

    internal static int DecoderAbi => Abi.Value.Decoder;

    internal static string Version => Marshal.PtrToStringUTF8(VpxNative.vpx_codec_version_str()) ?? "?";

    private static (int Encoder, int Decoder) Detect()
    {
        var config = new byte[VpxNative.ConfigSize];
        var context = new byte[VpxNative.ContextSize];
        var image = new byte[VpxNative.ImageSize];
        var pixels = new byte[64 * 64 * 2];
        // SAFETY: the buffers are several times as large as the structs of any known version.
        fixed (byte* configPointer = config)
        fixed (byte* contextPointer = context)
        fixed (byte* imagePointer = image)
        fixed (byte* pixelPointer = pixels)
        {
            var result = VpxNative.vpx_codec_enc_config_default(VpxNative.vpx_codec_vp8_cx(), configPointer, 0);
            CheckConfig(configPointer, result);
            CheckImage(imagePointer, pixelPointer);
            return (FindEncoderAbi(contextPointer, configPointer), FindDecoderAbi(contextPointer));
        }
    }

    // Defaults of vp8_cx_iface.c, unchanged since libvpx 1.4.
    private static void CheckConfig(byte* config, int result)
    {
        Check(result == 0, "vpx_codec_enc_config_default");
        ReadOnlySpan<(int Offset, int Value, string Name)> expected =
        [
            (VpxConfig.Width, 320, "g_w"),
            (VpxConfig.Height, 240, "g_h"),
            (VpxConfig.TimebaseNumerator, 1, "g_timebase.num"),
            (VpxConfig.TimebaseDenominator, 30, "g_timebase.den"),
            (VpxConfig.TargetBitrate, 256, "rc_target_bitrate"),
            (VpxConfig.MinQuantizer, 4, "rc_min_quantizer"),
            (VpxConfig.MaxQuantizer, 63, "rc_max_quantizer"),
            (VpxConfig.BufferSize, 6000, "rc_buf_sz"),
            (VpxConfig.BufferOptimalSize, 5000, "rc_buf_optimal_sz"),
            (VpxConfig.KeyFrameMode, 1, "kf_mode"),
            (VpxConfig.KeyFrameMaxDistance, 128, "kf_max_dist"),
        ];
        foreach (var (offset, value, name) in expected)
        {
            var found = *(int*)(config + offset);
            Check(found == value, $"vpx_codec_enc_cfg_t.{name} at {offset}: {value} expected, {found} found");
        }
    }

    private static void CheckImage(byte* image, byte* pixels)
    {
        Check(VpxNative.vpx_img_wrap(image, VpxNative.ImageFormatI420, 64, 32, 1, pixels) == image, "vpx_img_wrap");
        Check(
            *(int*)(image + VpxOffsets.ImageDisplayWidth) == 64 && *(int*)(image + VpxOffsets.ImageDisplayHeight) == 32,
            "vpx_image_t.d_w, d_h"
        );
        Check(*(byte**)(image + VpxOffsets.ImagePlanes) == pixels, "vpx_image_t.planes");
        Check(*(int*)(image + VpxOffsets.ImageStrides) == 64 && *(int*)(image + VpxOffsets.ImageStrides + 4) == 32, "vpx_image_t.stride");
    }

    private static int FindEncoderAbi(byte* context, byte* config)
    {
        for (var version = 1; version < HighestAbi; version++)
        {
            var result = VpxNative.vpx_codec_enc_init_ver(context, VpxNative.vpx_codec_vp8_cx(), config, 0, version);
            if (result != VpxNative.AbiMismatch)
            {
                Check(result == 0, $"vpx_codec_enc_init_ver {version}: {result}");
                _ = VpxNative.vpx_codec_destroy(context);
                return version;
            }
        }

        throw Unsupported("no encoder ABI number is accepted");
    }

    private static int FindDecoderAbi(byte* context)
    {
        for (var version = 1; version < HighestAbi; version++)
        {
            var result = VpxNative.vpx_codec_dec_init_ver(context, VpxNative.vpx_codec_vp8_dx(), null, 0, version);
            if (result != VpxNative.AbiMismatch)
            {
                Check(result == 0, $"vpx_codec_dec_init_ver {version}: {result}");
                _ = VpxNative.vpx_codec_destroy(context);
                return version;
            }
        }

        throw Unsupported("no decoder ABI number is accepted");
    }

    private static void Check(bool good, string what)
    {
        if (!good)
        {
            throw Unsupported(what);
        }
    }

    private static PlatformNotSupportedException Unsupported(string what) => new($"libvpx {Version} is not laid out as expected: {what}");
}
