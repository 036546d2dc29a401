using System.Runtime.InteropServices;
using Oriel.Screen.Codecs.Vpx;

namespace Oriel.TestSupport;

/// <summary>VP8 by libvpx, to look at what the encoder made (tests and benchmarks).</summary>
public sealed unsafe class Vp8Decoder : IVideoDecoder
{
    private readonly byte* _context;
    private bool _disposed;

    public Vp8Decoder()
    {
        var abi = VpxLayout.DecoderAbi;
        _context = (byte*)NativeMemory.AllocZeroed(VpxNative.ContextSize);
        Check(VpxNative.vpx_codec_dec_init_ver(_context, VpxNative.vpx_codec_vp8_dx(), null, 0, abi), "vpx_codec_dec_init");
    }

    public DecodedPicture? Decode(ReadOnlySpan<byte> frame)
    {
        ObjectDisposedException.ThrowIf(_disposed, this);
        // SAFETY: the frame is pinned during the call; libvpx keeps no pointer to it.
        fixed (byte* data = frame)
        {
            Check(VpxNative.vpx_codec_decode(_context, data, (uint)frame.Length, 0, 0), "vpx_codec_decode");
        }

        nint iterator = 0;
        var image = VpxNative.vpx_codec_get_frame(_context, &iterator);
        if (image == null)
        {
            return null;
        }

        var planes = (byte**)(image + VpxOffsets.ImagePlanes);
        var strides = (int*)(image + VpxOffsets.ImageStrides);
        return DecodedPicture.Copy(
            planes,
            strides[0],
            strides[1],
            *(int*)(image + VpxOffsets.ImageDisplayWidth),
            *(int*)(image + VpxOffsets.ImageDisplayHeight)
        );
    }

    public void Dispose()
    {
        if (!_disposed)
        {
            _disposed = true;
            _ = VpxNative.vpx_codec_destroy(_context);
            NativeMemory.Free(_context);
        }
    }

    private static void Check(int result, string call)
    {
        if (result != 0)
        {
            throw new InvalidDataException($"{call} failed with {result}");
        }
    }
}
