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
        RateControlOff = -1,
        MinLayerSize = 40,
        LayerSizeWithPsnr = 56,
        MaxLayers = 128;

    /// <summary>
    /// The finest quantizer. At 22, text is about 42 dB from the original, and every 6 less doubles the bytes of a moving screen.
    /// </summary>
    public const int MinQuantizer = 22;

    // The coarsest possible: on a slow link a full-screen change must still become a small frame. Otherwise fewer and fewer frames get
    // through, each changing more.
    private const int MaxQuantizer = 51;

    // Table 8-15 of ITU-T H.264 and its text: the step doubles every six.
    private static readonly QuantizerScale Scale = new(
        [.. Enumerable.Range(0, MaxQuantizer + 1).Select(q => q / 6.0)],
        MinQuantizer,
        MinQuantizer,
        28
    );

    // Bits per second. On a thin link a smaller frame is worth more than a sooner one.
    private const int ThinBelow = 2_500_000,
        WideFrom = 4_000_000;

    // Rows of blocks of eight pixels: a second for a screen of 720 rows.
    private const int StripRows = 4;
    private const double MostToSharpenBeside = 0.5;

    private readonly byte* _picture;
    private readonly byte* _info;
    private readonly int _layerSize;
    private readonly SliceQuantizer _quantizer = new();
    private readonly string _version;
    private readonly bool? _mode;
    private readonly int _maxFps;
    private nint* _encoder;
    private byte[] _output = new byte[256 * 1024];
    private bool _disposed;
    private readonly byte* _parameters;
    private readonly QuantizerControl _control;
    private bool _screenContent;
    private int _bitrate,
        _sharpened;

    /// <param name="bitrate">bit/s.</param>
    /// <param name="maxFps">The maximum frames per second.</param>
    /// <param name="screenContent">
    /// Whether to use OpenH264's mode for screens instead of the one for cameras; null: while the link is thin. It finds what scrolled by
    /// looking at the pictures themselves, also where the one before was coarse: half the bytes and less, for two to three times the time.
    /// </param>
    /// <exception cref="PlatformNotSupportedException">This version of libopenh264 is not supported.</exception>
    public OpenH264Encoder(int width, int height, int bitrate, int maxFps, bool? screenContent = null)
    {
        (Width, Height, _bitrate, _maxFps, _mode) = (width, height, bitrate, maxFps, screenContent);
        _screenContent = screenContent ?? bitrate < ThinBelow;
        _control = new(Scale, width * height);
        var version = stackalloc uint[4];
        OpenH264Native.WelsGetCodecVersionEx(version);
        // SLayerBSInfo has had three more numbers since 2.5.
        _layerSize = version[0] > 2 || version[0] == 2 && version[1] >= 5 ? LayerSizeWithPsnr : MinLayerSize;
        _picture = (byte*)NativeMemory.AllocZeroed(OpenH264Native.PictureSize);
        _info = (byte*)NativeMemory.AllocZeroed(OpenH264Native.FrameInfoSize);
        _parameters = (byte*)NativeMemory.AllocZeroed(OpenH264Native.ParameterSize);
        _version = $"{version[0]}.{version[1]}.{version[2]}";
        Open();
    }

    public int Width { get; }

    public int Height { get; }

    public void SetBitrate(int bitsPerSecond) => _bitrate = bitsPerSecond;

    public EncodedPicture Encode(I420Picture picture, scoped in EncodeRequest request)
    {
        ObjectDisposedException.ThrowIf(_disposed, this);
        if (picture.Width != Width || picture.Height != Height)
        {
            throw new ArgumentException(
                $"a picture of {picture.Width}x{picture.Height} for an encoder of {Width}x{Height}",
                nameof(picture)
            );
        }

        var keyFrame = request.KeyFrame | Adapt(request.KeyFrame);
        ApplyQuantizer(_control.Next(request.TimestampUs, _bitrate, keyFrame, request.Refinement, request.ChangedShare));
        if (keyFrame)
        {
            Check(OpenH264Native.ForceIntraFrame(_encoder), "ForceIntraFrame");
        }

        var whole = !_screenContent || keyFrame || Sharpen(picture, request);
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

        _control.Encoded(length);
        return new EncodedPicture(_output.AsSpan(0, length), type == TypeIdr, _quantizer.Read(_output.AsSpan(0, length)), whole);
    }

    public void Dispose()
    {
        if (_disposed)
        {
            return;
        }

        _disposed = true;
        Close();
        NativeMemory.Free(_picture);
        NativeMemory.Free(_info);
        NativeMemory.Free(_parameters);
    }

    /// <summary>
    /// Changes the mode to that which suits the link: to the one for a thin link at once, away from it with a key frame that is due anyway.
    /// </summary>
    /// <returns>Whether it was changed, which takes a key frame.</returns>
    private bool Adapt(bool keyFrame)
    {
        var thin = _mode ?? _bitrate < (_screenContent ? WideFrom : ThinBelow);
        if (thin == _screenContent || !thin && !keyFrame)
        {
            return false;
        }

        Close();
        _screenContent = thin;
        Open();
        return true;
    }

    private void Close()
    {
        if (_encoder == null)
        {
            return; // another mode could not be opened
        }

        _ = OpenH264Native.Uninitialize(_encoder);
        OpenH264Native.WelsDestroySVCEncoder(_encoder);
        _encoder = null;
    }

    private void Open()
    {
        nint* encoder;
        if (OpenH264Native.WelsCreateSVCEncoder(&encoder) != 0 || encoder == null)
        {
            throw new InvalidOperationException("WelsCreateSVCEncoder failed");
        }

        _encoder = encoder;
        var quiet = 0;
        _ = OpenH264Native.SetOption(_encoder, OpenH264Native.OptionTraceLevel, &quiet);
        var parameters = _parameters;
        new Span<byte>(parameters, OpenH264Native.ParameterSize).Clear();
        Check(OpenH264Native.GetDefaultParams(_encoder, parameters), "GetDefaultParams");
        OpenH264Parameters.Check(parameters, _version);
        Set(OpenH264Parameters.Usage, _screenContent ? 1 : 0);
        Set(OpenH264Parameters.Width, Width);
        Set(OpenH264Parameters.Height, Height);
        Set(OpenH264Parameters.TargetBitrate, _bitrate);
        Set(OpenH264Parameters.RateControl, RateControlOff);
        *(float*)(parameters + OpenH264Parameters.MaxFrameRate) = _maxFps;
        Set(OpenH264Parameters.LayerWidth, Width);
        Set(OpenH264Parameters.LayerHeight, Height);
        *(float*)(parameters + OpenH264Parameters.LayerFrameRate) = _maxFps;
        Set(OpenH264Parameters.LayerBitrate, _bitrate);
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

    // Its own rate control is off: it changes the quantizer by steps, after the frames that were too large. (The quantizer alone is
    // changed, which needs no new start: WelsEncoderParamAdjust in encoder_ext.cpp.)
    private void ApplyQuantizer(int quantizer)
    {
        var layer = (int*)(_parameters + OpenH264Parameters.LayerQuantizer);
        if (*layer != quantizer)
        {
            *layer = quantizer;
            Check(OpenH264Native.SetOption(_encoder, OpenH264Native.OptionParameters, _parameters), "SetOption parameters");
        }
    }

    /// <summary>
    /// What is equal to the picture before is left out in the mode for screens, however coarse it is. So it is made unequal: all of a still
    /// picture, a strip with each frame while only a part moves.
    /// </summary>
    /// <returns>Whether all of the picture has been sharpened.</returns>
    private bool Sharpen(I420Picture picture, in EncodeRequest request)
    {
        var rows = (Height + 7) / 8;
        if (request.Refinement > 0)
        {
            picture.Touch(0, rows);
            _sharpened = 0;
            return true;
        }

        if (!request.Changed.IsEmpty || request.ChangedShare is 0 or > MostToSharpenBeside)
        {
            return false;
        }

        picture.Touch(_sharpened, StripRows);
        _sharpened += StripRows;
        if (_sharpened < rows)
        {
            return false;
        }

        _sharpened = 0;
        return true;
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
