using System.Globalization;
using System.Runtime.InteropServices;
using Oriel.Screen.Native;
using Oriel.Screen.Yuv;

namespace Oriel.Screen.Codecs.H264;

/// <summary>
/// H.264 constrained baseline with x264 (GPL), used only where its package was installed on purpose and OpenH264 is missing
/// (docs/decisions/0031). Annex B, SPS and PPS before each IDR, one thread, zero latency.
/// </summary>
public sealed unsafe partial class X264Encoder : IVideoEncoder
{
    // x264_param_t of build 164 has 1024 bytes; x264_picture_t 240.
    private const int ParameterSize = 4096,
        PictureSize = 1024,
        WidthOffset = 28,
        HeightOffset = 32,
        ColorOffset = 36;
    private const int PictureType = 0,
        PictureQuantizer = 4,
        PicturePts = 16,
        ImageColor = 40,
        ImagePlanes = 44,
        ImageStrides = 48,
        ImagePointers = 64;
    private const int NalPayload = 24,
        ColorI420 = 2,
        TypeAuto = 0,
        TypeIdr = 1;
    private static readonly int[] RefinementQuantizers = [26, 20, 14];
    private readonly byte* _parameters,
        _picture,
        _result;
    private readonly SliceQuantizer _quantizer = new();
    private nint _encoder;
    private long _frames;

    /// <param name="bitrate">bit/s.</param>
    /// <param name="maxFps">The maximum frames per second.</param>
    /// <exception cref="InvalidOperationException">x264 refuses a setting; the message names it.</exception>
    public X264Encoder(int width, int height, int bitrate, int maxFps)
    {
        (Width, Height) = (width, height);
        _parameters = (byte*)NativeMemory.AllocZeroed(ParameterSize);
        _picture = (byte*)NativeMemory.AllocZeroed(PictureSize);
        _result = (byte*)NativeMemory.AllocZeroed(PictureSize);
        if (x264_param_default_preset(_parameters, "ultrafast", "zerolatency") != 0)
        {
            throw new InvalidOperationException("x264_param_default_preset failed");
        }

        *(int*)(_parameters + WidthOffset) = width;
        *(int*)(_parameters + HeightOffset) = height;
        *(int*)(_parameters + ColorOffset) = ColorI420;
        Set("fps", maxFps.ToString(CultureInfo.InvariantCulture));
        Set("threads", "1");
        Set("sliced-threads", "0");
        Set("keyint", "infinite");
        Set("scenecut", "0");
        Set("repeat-headers", "1");
        Set("annexb", "1");
        Set("aud", "0");
        Set("force-cfr", "1");
        SetRate(bitrate);
        if (x264_param_apply_profile(_parameters, "baseline") != 0)
        {
            throw new InvalidOperationException("x264 refuses the baseline profile");
        }

        _encoder = x264_encoder_open_164(_parameters);
        if (_encoder == 0)
        {
            throw new InvalidOperationException($"x264 refuses {width}x{height}");
        }
    }

    public int Width { get; }

    public int Height { get; }

    public void SetBitrate(int bitsPerSecond)
    {
        SetRate(bitsPerSecond);
        _ = x264_encoder_reconfig(_encoder, _parameters);
    }

    public EncodedPicture Encode(I420Picture picture, scoped in EncodeRequest request)
    {
        ObjectDisposedException.ThrowIf(_encoder == 0, this);
        x264_picture_init(_picture);
        *(int*)(_picture + PictureType) = request.KeyFrame ? TypeIdr : TypeAuto;
        *(int*)(_picture + PictureQuantizer) =
            request.Refinement > 0 ? RefinementQuantizers[Math.Min(request.Refinement, RefinementQuantizers.Length) - 1] + 1 : 0;
        *(long*)(_picture + PicturePts) = _frames++;
        *(int*)(_picture + ImageColor) = ColorI420;
        *(int*)(_picture + ImagePlanes) = 3;
        var strides = (int*)(_picture + ImageStrides);
        strides[0] = picture.StrideY;
        strides[1] = strides[2] = picture.StrideUV;
        var planes = (byte**)(_picture + ImagePointers);
        planes[0] = picture.Y;
        planes[1] = picture.U;
        planes[2] = picture.V;
        byte* nals;
        int count;
        // SAFETY: the picture's planes live during the call; x264 owns the NALs until the next call and stores them contiguously.
        var size = x264_encoder_encode(_encoder, &nals, &count, _picture, _result);
        if (size < 0)
        {
            throw new InvalidOperationException($"x264_encoder_encode failed with {size}");
        }

        if (size == 0)
        {
            return default;
        }

        var data = new ReadOnlySpan<byte>(*(byte**)(nals + NalPayload), size);
        return new EncodedPicture(data, *(int*)(_result + PictureType) == TypeIdr, _quantizer.Read(data), whole: true);
    }

    public void Dispose()
    {
        if (_encoder != 0)
        {
            x264_encoder_close(_encoder);
            _encoder = 0;
            NativeMemory.Free(_parameters);
            NativeMemory.Free(_picture);
            NativeMemory.Free(_result);
        }
    }

    // A buffer of a fifth of a second: one key frame may be large, a series of them may not.
    private void SetRate(int bitrate)
    {
        var kilobits = Math.Max(50, bitrate / 1000);
        Set("bitrate", kilobits.ToString(CultureInfo.InvariantCulture));
        Set("vbv-maxrate", kilobits.ToString(CultureInfo.InvariantCulture));
        Set("vbv-bufsize", (kilobits / 5).ToString(CultureInfo.InvariantCulture));
    }

    private void Set(string name, string value)
    {
        if (x264_param_parse(_parameters, name, value) != 0)
        {
            throw new InvalidOperationException($"x264 refuses {name}={value}");
        }
    }

    [LibraryImport(NativeLibraries.X264, StringMarshalling = StringMarshalling.Utf8)]
    private static partial int x264_param_default_preset(byte* parameters, string preset, string tune);

    [LibraryImport(NativeLibraries.X264, StringMarshalling = StringMarshalling.Utf8)]
    private static partial int x264_param_parse(byte* parameters, string name, string value);

    [LibraryImport(NativeLibraries.X264, StringMarshalling = StringMarshalling.Utf8)]
    private static partial int x264_param_apply_profile(byte* parameters, string profile);

    [LibraryImport(NativeLibraries.X264)]
    private static partial nint x264_encoder_open_164(byte* parameters);

    [LibraryImport(NativeLibraries.X264)]
    private static partial int x264_encoder_reconfig(nint encoder, byte* parameters);

    [LibraryImport(NativeLibraries.X264)]
    private static partial void x264_picture_init(byte* picture);

    [LibraryImport(NativeLibraries.X264)]
    private static partial int x264_encoder_encode(nint encoder, byte** nals, int* count, byte* picture, byte* result);

    [LibraryImport(NativeLibraries.X264)]
    private static partial void x264_encoder_close(nint encoder);
}
