using System.Runtime.InteropServices;
using Oriel.Screen.Yuv;

namespace Oriel.Screen.Codecs.H264;

/// <summary>
/// H.264 constrained baseline with OpenH264 (BSD licence): one slice, one thread, no B frames, IDR frames only on request with SPS and PPS
/// before each, Annex B. Settings measured with bench/Oriel.Bench.Encode (docs/decisions/0031).
/// </summary>
public sealed unsafe class OpenH264Encoder : IVideoEncoder
{
    private const int FormatI420 = 23,
        TypeIdr = 1,
        TypeSkip = 4,
        BaselineProfile = 66,
        BitrateMode = 1,
        MinLayerSize = 40,
        LayerSizeWithPsnr = 56,
        MaxLayers = 128,
        MaxBitrate = 200_000_000;

    /// <summary>
    /// The finest quantizer. At 22, text is about 42 dB from the original, and every 6 less doubles the bytes of a moving screen.
    /// </summary>
    public const int MinQuantizer = 22;

    // The coarsest possible: on a slow link a full-screen change must still become a small frame. Otherwise fewer and fewer frames get
    // through, each changing more.
    private const int MaxQuantizer = 51;

    private readonly byte* _picture;
    private readonly byte* _info;
    private readonly int _layerSize;
    private readonly SliceQuantizer _quantizer = new();
    private nint* _encoder;
    private byte[] _output = new byte[256 * 1024];
    private bool _disposed;
    private readonly FrameIntervals _intervals;
    private int _bitrate,
        _applied;

    /// <param name="bitrate">bit/s.</param>
    /// <param name="maxFps">The maximum frames per second.</param>
    /// <param name="screenContent">Use OpenH264's mode for screens instead of the one for cameras.</param>
    /// <exception cref="PlatformNotSupportedException">This version of libopenh264 is not supported.</exception>
    public OpenH264Encoder(int width, int height, int bitrate, int maxFps, bool screenContent = false)
    {
        (Width, Height, _bitrate, _applied) = (width, height, bitrate, bitrate);
        _intervals = new(maxFps);
        var version = stackalloc uint[4];
        OpenH264Native.WelsGetCodecVersionEx(version);
        // SLayerBSInfo has had three more numbers since 2.5.
        _layerSize = version[0] > 2 || version[0] == 2 && version[1] >= 5 ? LayerSizeWithPsnr : MinLayerSize;
        nint* encoder;
        if (OpenH264Native.WelsCreateSVCEncoder(&encoder) != 0 || encoder == null)
        {
            throw new InvalidOperationException("WelsCreateSVCEncoder failed");
        }

        _encoder = encoder;
        _picture = (byte*)NativeMemory.AllocZeroed(OpenH264Native.PictureSize);
        _info = (byte*)NativeMemory.AllocZeroed(OpenH264Native.FrameInfoSize);
        var quiet = 0;
        _ = OpenH264Native.SetOption(_encoder, OpenH264Native.OptionTraceLevel, &quiet);
        Initialize(bitrate, maxFps, screenContent, $"{version[0]}.{version[1]}.{version[2]}");
    }

    public int Width { get; }

    public int Height { get; }

    public void SetBitrate(int bitsPerSecond) => _bitrate = bitsPerSecond;

    public EncodedPicture Encode(I420Picture picture, in EncodeRequest request)
    {
        ObjectDisposedException.ThrowIf(_disposed, this);
        if (picture.Width != Width || picture.Height != Height)
        {
            throw new ArgumentException(
                $"a picture of {picture.Width}x{picture.Height} for an encoder of {Width}x{Height}",
                nameof(picture)
            );
        }

        ApplyBitrate(request);
        if (request.KeyFrame)
        {
            Check(OpenH264Native.ForceIntraFrame(_encoder), "ForceIntraFrame");
        }

        Describe(picture, request.TimestampUs);
        // SAFETY: the picture's planes live during the call; the info is several times as large as SFrameBSInfo of any known version.
        Check(OpenH264Native.EncodeFrame(_encoder, _picture, _info), "EncodeFrame");
        var type = *(int*)(_info + 8 + MaxLayers * _layerSize);
        var size = *(int*)(_info + 8 + MaxLayers * _layerSize + 4);
        if (type == TypeSkip || size == 0)
        {
            return default;
        }

        var length = CopyLayers();
        if (length != size)
        {
            throw new PlatformNotSupportedException(
                $"libopenh264 is not laid out as expected: SFrameBSInfo says {size} bytes, its layers {length}"
            );
        }

        return new EncodedPicture(_output.AsSpan(0, length), type == TypeIdr, _quantizer.Read(_output.AsSpan(0, length)));
    }

    public void Dispose()
    {
        if (_disposed)
        {
            return;
        }

        _disposed = true;
        _ = OpenH264Native.Uninitialize(_encoder);
        OpenH264Native.WelsDestroySVCEncoder(_encoder);
        _encoder = null;
        NativeMemory.Free(_picture);
        NativeMemory.Free(_info);
    }

    private void Initialize(int bitrate, int maxFps, bool screenContent, string version)
    {
        var parameters = stackalloc byte[OpenH264Native.ParameterSize];
        new Span<byte>(parameters, OpenH264Native.ParameterSize).Clear();
        Check(OpenH264Native.GetDefaultParams(_encoder, parameters), "GetDefaultParams");
        OpenH264Parameters.Check(parameters, version);
        Set(OpenH264Parameters.Usage, screenContent ? 1 : 0);
        Set(OpenH264Parameters.Width, Width);
        Set(OpenH264Parameters.Height, Height);
        Set(OpenH264Parameters.TargetBitrate, bitrate);
        Set(OpenH264Parameters.RateControl, BitrateMode);
        *(float*)(parameters + OpenH264Parameters.MaxFrameRate) = maxFps;
        Set(OpenH264Parameters.LayerWidth, Width);
        Set(OpenH264Parameters.LayerHeight, Height);
        *(float*)(parameters + OpenH264Parameters.LayerFrameRate) = maxFps;
        Set(OpenH264Parameters.LayerBitrate, bitrate);
        Set(OpenH264Parameters.LayerMaxBitrate, 0);
        Set(OpenH264Parameters.LayerProfile, BaselineProfile);
        Set(OpenH264Parameters.Complexity, 0);
        Set(OpenH264Parameters.IntraPeriod, 0);
        Set(OpenH264Parameters.ReferenceFrames, 1);
        Set(OpenH264Parameters.ParameterSetStrategy, 0);
        Set(OpenH264Parameters.EntropyMode, 0);
        Set(OpenH264Parameters.MinQuantizer, MinQuantizer);
        // Deblocking blurs text without improving it, and takes a fifth of the time.
        Set(OpenH264Parameters.LoopFilterOff, 1);
        Set(OpenH264Parameters.MaxQuantizer, MaxQuantizer);
        *(ushort*)(parameters + OpenH264Parameters.Threads) = 1;
        parameters[OpenH264Parameters.PrefixNal] = 0;
        parameters[OpenH264Parameters.FrameSkip] = 0;
        parameters[OpenH264Parameters.LongTermReference] = 0;
        parameters[OpenH264Parameters.Denoise] = 0;
        parameters[OpenH264Parameters.BackgroundDetection] = 0;
        parameters[OpenH264Parameters.AdaptiveQuantizer] = 0;
        // It would insert IDR frames of its own when the whole screen changes.
        parameters[OpenH264Parameters.SceneChange] = 0;
        DescribeColours(parameters);
        Check(OpenH264Native.InitializeExt(_encoder, parameters), "InitializeExt");

        void Set(int offset, int value) => *(int*)(parameters + offset) = value;
    }

    /// <summary>
    /// The pictures are converted by BT.601. A stream that does not say so is taken for BT.709, which turns green to 00d701. Values of
    /// ITU-T H.264, tables E-2 to E-5.
    /// </summary>
    private static void DescribeColours(byte* parameters)
    {
        const byte Unspecified = 5,
            Bt709 = 1,
            Smpte170M = 6;
        parameters[OpenH264Parameters.LayerVideoSignalTypePresent] = 1;
        parameters[OpenH264Parameters.LayerVideoFormat] = Unspecified;
        parameters[OpenH264Parameters.LayerFullRange] = 0;
        parameters[OpenH264Parameters.LayerColourDescriptionPresent] = 1;
        parameters[OpenH264Parameters.LayerColourPrimaries] = Bt709;
        parameters[OpenH264Parameters.LayerTransferCharacteristics] = Bt709;
        parameters[OpenH264Parameters.LayerMatrixCoefficients] = Smpte170M;
    }

    // OpenH264 budgets each frame for the maximum frame rate, so at lower rates each may be larger. A still picture gets finer because the
    // rate control is allowed more for it.
    private void ApplyBitrate(in EncodeRequest request)
    {
        var wanted = (int)Math.Min(MaxBitrate, _bitrate * _intervals.Add(request.TimestampUs) * (1 << Math.Min(request.Refinement, 3)));
        if (Math.Abs(wanted - _applied) < _applied / 16)
        {
            return;
        }

        _applied = wanted;
        // SBitrateInfo for all spatial layers (4).
        var info = stackalloc int[2] { 4, wanted };
        Check(OpenH264Native.SetOption(_encoder, OpenH264Native.OptionBitrate, info), "SetOption bitrate");
    }

    private void Describe(I420Picture picture, long timestampUs)
    {
        *(int*)_picture = FormatI420;
        var strides = (int*)(_picture + 4);
        strides[0] = picture.StrideY;
        strides[1] = strides[2] = picture.StrideUV;
        var planes = (byte**)(_picture + 24);
        planes[0] = picture.Y;
        planes[1] = picture.U;
        planes[2] = picture.V;
        *(int*)(_picture + 56) = Width;
        *(int*)(_picture + 60) = Height;
        *(long*)(_picture + 64) = timestampUs / 1000;
    }

    private int CopyLayers()
    {
        var layers = Math.Clamp(*(int*)_info, 0, MaxLayers);
        var length = 0;
        for (var i = 0; i < layers; i++)
        {
            var layer = _info + 8 + i * _layerSize;
            var nals = *(int*)(layer + 16);
            var lengths = *(int**)(layer + 24);
            var size = 0;
            for (var nal = 0; nal < nals; nal++)
            {
                size += lengths[nal];
            }

            if (length + size > _output.Length)
            {
                Array.Resize(ref _output, Math.Max(length + size, _output.Length * 2));
            }

            new ReadOnlySpan<byte>(*(byte**)(layer + 32), size).CopyTo(_output.AsSpan(length));
            length += size;
        }

        return length;
    }

    private static void Check(int result, string call)
    {
        if (result != 0)
        {
            throw new InvalidOperationException($"OpenH264 {call} failed with {result}");
        }
    }
}
