using System.Runtime.InteropServices;
using Oriel.Screen.Codecs.H264;

namespace Oriel.TestSupport;

/// <summary>H.264 by OpenH264, to look at what the encoder made (tests and benchmarks).</summary>
public sealed unsafe class OpenH264Decoder : IVideoDecoder
{
    private const int VideoPropertySize = 24,
        VideoTypeAvc = 0;
    private readonly nint* _decoder;
    private bool _disposed;

    public OpenH264Decoder()
    {
        nint* decoder;
        if (OpenH264Native.WelsCreateDecoder(&decoder) != 0 || decoder == null)
        {
            throw new InvalidOperationException("WelsCreateDecoder failed");
        }

        _decoder = decoder;
        var quiet = 0;
        _ = OpenH264Native.DecoderSetOption(_decoder, OpenH264Native.DecoderOptionTraceLevel, &quiet);
        var parameters = stackalloc byte[64];
        new Span<byte>(parameters, 64).Clear();
        *(int*)(parameters + VideoPropertySize) = 8;
        *(int*)(parameters + VideoPropertySize + 4) = VideoTypeAvc;
        if (OpenH264Native.DecoderInitialize(_decoder, parameters) != 0)
        {
            throw new InvalidOperationException("OpenH264's decoder could not be initialized");
        }
    }

    public DecodedPicture? Decode(ReadOnlySpan<byte> frame)
    {
        ObjectDisposedException.ThrowIf(_disposed, this);
        var planes = stackalloc byte*[4];
        var info = stackalloc byte[256];
        new Span<byte>(info, 256).Clear();
        int state;
        // SAFETY: the frame is pinned during the call; the planes are the decoder's and copied before the next call.
        fixed (byte* source = frame)
        {
            state = OpenH264Native.DecodeFrameNoDelay(_decoder, source, frame.Length, planes, info);
        }

        if (state != 0)
        {
            throw new InvalidDataException($"OpenH264 DecodeFrameNoDelay: state 0x{state:x}");
        }

        if (*(int*)info != 1)
        {
            return null;
        }

        // SBufferInfo.UsrData.sSystemBuffer: width, height, format, two strides.
        var buffer = (int*)(info + 24);
        return DecodedPicture.Copy(planes, buffer[3], buffer[4], buffer[0], buffer[1]);
    }

    public void Dispose()
    {
        if (!_disposed)
        {
            _disposed = true;
            _ = OpenH264Native.DecoderUninitialize(_decoder);
            OpenH264Native.WelsDestroyDecoder(_decoder);
        }
    }
}
