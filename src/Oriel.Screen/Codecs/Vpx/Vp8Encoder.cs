using System.Runtime.InteropServices;
using Oriel.Screen.Yuv;

namespace Oriel.Screen.Codecs.Vpx;

/// <summary>
/// VP8 with libvpx for a screen: real time, constant bitrate, one thread, no lag, key frames only on request. The active map leaves out
/// macroblocks that did not change. Measured with bench/Oriel.Bench.Encode (docs/decisions/0031).
/// </summary>
public sealed unsafe class Vp8Encoder : IVideoEncoder
{
    // RFC 6386 section 14.1, steps of AC coefficients.
    private static readonly int[] Steps =
    [
        .. Enumerable.Range(4, 55),
        .. Enumerable.Range(0, 29).Select(i => 60 + 2 * i),
        .. Enumerable.Range(0, 19).Select(i => 119 + 3 * i),
        .. Enumerable.Range(0, 14).Select(i => 177 + 4 * i),
        234,
        239,
        245,
        249,
        .. Enumerable.Range(0, 7).Select(i => 254 + 5 * i),
    ];

    // Which of these libvpx's own numbers mean, 0 to 63.
    private static readonly int[] Numbers =
    [
        .. "0 1 2 3 4 5 7 8 9 10 12 13 15 17 18 19 20 21 23 24 25 26 27 28 29 30 31 33 35 37 39 41 43 45 47 49 51 53 55 57 59 61 64 67 70 73 76 79 82 85 88 91 94 97 100 103 106 109 112 115 118 121 124 127"
            .Split(' ')
            .Select(int.Parse),
    ];

    // By those numbers. While the picture moves, finer than a step of 24 costs bytes and time for no visible gain. Refinement takes a still
    // picture further.
    private static readonly QuantizerScale Scale = new(
        [.. Numbers.Select(index => Math.Log2(Steps[index]))],
        finest: Array.IndexOf(Numbers, 4),
        movingFinest: Array.IndexOf(Numbers, 20),
        keyFrameFinest: Array.IndexOf(Numbers, 41)
    );

    private readonly QuantizerControl _control;
    private readonly byte* _context;
    private readonly byte* _config;
    private readonly byte* _image;
    private readonly byte[] _map;
    private readonly int _mapColumns,
        _mapRows;
    private bool _mapSet,
        _refining,
        _disposed;
    private int _bitrate,
        _number = -1;
    private long _lastTimestamp = -1;

    /// <param name="bitrate">bit/s.</param>
    /// <param name="maxFps">The maximum frames per second.</param>
    /// <param name="cpuUsed">libvpx's cpu-used, -1 (best) to -16 (fastest); null = chosen by size.</param>
    /// <exception cref="PlatformNotSupportedException">This version of libvpx is not supported.</exception>
    public Vp8Encoder(int width, int height, int bitrate, int maxFps, int? cpuUsed = null, int staticThreshold = DefaultStaticThreshold)
    {
        var abi = VpxLayout.EncoderAbi;
        (Width, Height, MaxFps, StaticThreshold) = (width, height, maxFps, staticThreshold);
        _mapColumns = (width + 15) / 16;
        _mapRows = (height + 15) / 16;
        _map = new byte[_mapColumns * _mapRows];
        _bitrate = bitrate;
        _control = new(Scale, width * height);
        _context = (byte*)NativeMemory.AllocZeroed(VpxNative.ContextSize);
        _config = (byte*)NativeMemory.AllocZeroed(VpxNative.ConfigSize);
        _image = (byte*)NativeMemory.AllocZeroed(VpxNative.ImageSize);
        Configure(bitrate);
        Check(VpxNative.vpx_codec_enc_init_ver(_context, VpxNative.vpx_codec_vp8_cx(), _config, 0, abi), "vpx_codec_enc_init");
        Control(VpxNative.SetCpuUsed, cpuUsed ?? DefaultCpuUsed(width, height));
        Control(VpxNative.SetStaticThreshold, staticThreshold);
        Control(VpxNative.SetNoiseSensitivity, 0);
        Control(VpxNative.SetTokenPartitions, 0);
        Control(VpxNative.SetScreenContentMode, 1);
        Control(VpxNative.SetMaxIntraBitratePercent, MaxIntraPercent);
    }

    public const int DefaultStaticThreshold = 1;

    private const int PixelsOfThoroughSearch = 1920 * 1088;

    // The most bits a key frame may take, as a percentage of an average frame. Refinement sharpens it afterwards.
    private const int MaxIntraPercent = 400;

    public int Width { get; }

    public int Height { get; }

    private int MaxFps { get; }

    private int StaticThreshold { get; }

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

        SetQuantizer(_control.Next(request.TimestampUs, _bitrate, request.KeyFrame, request.Refinement, request.ChangedShare));
        SetRefinement(request.Refinement);
        SetActiveMap(request.KeyFrame ? [] : request.Changed);
        Describe(picture);
        var interval = 1_000_000 / MaxFps;
        var timestamp = Math.Max(request.TimestampUs, _lastTimestamp + 1);
        _lastTimestamp = timestamp;
        // SAFETY: the image points into the picture, which the caller keeps alive during the call.
        Check(
            VpxNative.vpx_codec_encode(
                _context,
                _image,
                timestamp,
                (nuint)interval,
                request.KeyFrame ? VpxNative.ForceKeyFrame : 0,
                VpxNative.DeadlineRealtime
            ),
            "vpx_codec_encode"
        );
        nint iterator = 0;
        while (VpxNative.vpx_codec_get_cx_data(_context, &iterator) is var packet && packet != null)
        {
            if (*(int*)(packet + VpxOffsets.PacketKind) == 0)
            {
                var data = *(byte**)(packet + VpxOffsets.PacketBuffer);
                var size = *(nuint*)(packet + VpxOffsets.PacketSize);
                var key = (*(uint*)(packet + VpxOffsets.PacketFlags) & 1) != 0;
                _control.Encoded((int)size);
                int quantizer;
                Control(VpxNative.GetLastQuantizer, (nint)(&quantizer));
                return new EncodedPicture(new ReadOnlySpan<byte>(data, checked((int)size)), key, quantizer, whole: !_mapSet);
            }
        }

        return default;
    }

    public void Dispose()
    {
        if (_disposed)
        {
            return;
        }

        _disposed = true;
        _ = VpxNative.vpx_codec_destroy(_context);
        NativeMemory.Free(_context);
        NativeMemory.Free(_config);
        NativeMemory.Free(_image);
    }

    // From -5 on, the motion search no longer finds text that scrolled by a line: at 1080p, 231 kB per frame instead of about 15 kB.
    private static int DefaultCpuUsed(int width, int height) => width * height <= PixelsOfThoroughSearch ? -4 : -6;

    private void Configure(int bitrate)
    {
        Check(VpxNative.vpx_codec_enc_config_default(VpxNative.vpx_codec_vp8_cx(), _config, 0), "vpx_codec_enc_config_default");
        Set(VpxConfig.Threads, 1);
        Set(VpxConfig.Width, Width);
        Set(VpxConfig.Height, Height);
        Set(VpxConfig.TimebaseNumerator, 1);
        Set(VpxConfig.TimebaseDenominator, 1_000_000);
        Set(VpxConfig.ErrorResilient, 0);
        Set(VpxConfig.Pass, 0);
        Set(VpxConfig.LagInFrames, 0);
        Set(VpxConfig.DropFrameThreshold, 0);
        Set(VpxConfig.ResizeAllowed, 0);
        Set(VpxConfig.EndUsage, 1);
        Set(VpxConfig.TargetBitrate, Math.Max(50, bitrate / 1000));
        Set(VpxConfig.MinQuantizer, 0);
        Set(VpxConfig.MaxQuantizer, Numbers.Length - 1);
        Set(VpxConfig.UndershootPercent, 100);
        Set(VpxConfig.OvershootPercent, 15);
        Set(VpxConfig.BufferSize, 1000);
        Set(VpxConfig.BufferInitialSize, 500);
        Set(VpxConfig.BufferOptimalSize, 600);
        Set(VpxConfig.KeyFrameMode, 0);
    }

    private void SetQuantizer(int number)
    {
        if (number == _number)
        {
            return;
        }

        _number = number;
        Set(VpxConfig.MinQuantizer, number);
        Set(VpxConfig.MaxQuantizer, number);
        ApplyConfig();
    }

    private void SetRefinement(int step)
    {
        if (step > 0 != _refining)
        {
            _refining = step > 0;
            Control(VpxNative.SetStaticThreshold, _refining ? 0 : StaticThreshold);
        }
    }

    private void SetActiveMap(ReadOnlySpan<PixelRectangle> changed)
    {
        if (changed.IsEmpty)
        {
            if (_mapSet)
            {
                ApplyMap(null);
                _mapSet = false;
            }

            return;
        }

        Array.Clear(_map);
        foreach (var rectangle in changed)
        {
            var right = Math.Min(_mapColumns, (rectangle.Right + 15) / 16);
            for (var row = Math.Max(0, rectangle.Y / 16); row < Math.Min(_mapRows, (rectangle.Bottom + 15) / 16); row++)
            {
                var left = Math.Max(0, rectangle.X / 16);
                _map.AsSpan(row * _mapColumns + left, Math.Max(0, right - left)).Fill(1);
            }
        }

        // SAFETY: libvpx copies the map during the call.
        fixed (byte* map = _map)
        {
            ApplyMap(map);
        }

        _mapSet = true;
    }

    private void ApplyMap(byte* map)
    {
        ActiveMap active = new()
        {
            Map = map,
            Rows = (uint)_mapRows,
            Columns = (uint)_mapColumns,
        };
        Control(VpxNative.SetActiveMap, (nint)(&active));
    }

    private void Describe(I420Picture picture)
    {
        if (VpxNative.vpx_img_wrap(_image, VpxNative.ImageFormatI420, (uint)Width, (uint)Height, 1, picture.Y) == null)
        {
            throw new InvalidOperationException("vpx_img_wrap failed");
        }

        var planes = (byte**)(_image + VpxOffsets.ImagePlanes);
        var strides = (int*)(_image + VpxOffsets.ImageStrides);
        planes[0] = picture.Y;
        planes[1] = picture.U;
        planes[2] = picture.V;
        (strides[0], strides[1], strides[2]) = (picture.StrideY, picture.StrideUV, picture.StrideUV);
    }

    private void Set(int offset, int value) => *(int*)(_config + offset) = value;

    private void ApplyConfig() => Check(VpxNative.vpx_codec_enc_config_set(_context, _config), "vpx_codec_enc_config_set");

    private void Control(int control, nint value) =>
        Check(VpxNative.vpx_codec_control_(_context, control, value), $"vpx_codec_control {control}");

    private void Check(int result, string call)
    {
        if (result != 0)
        {
            throw new InvalidOperationException(
                $"{call} failed with {result}: {Marshal.PtrToStringUTF8(VpxNative.vpx_codec_error_detail(_context))}"
            );
        }
    }

    [StructLayout(LayoutKind.Sequential)]
    private struct ActiveMap
    {
        public byte* Map;
        public uint Rows,
            Columns;
    }
}
