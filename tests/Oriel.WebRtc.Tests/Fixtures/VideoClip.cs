using System.Buffers.Binary;
using Oriel.WebRtc.Video;

namespace Oriel.WebRtc.Tests.Fixtures;

/// <summary>
/// Two seconds of a moving ball, 320x240, a key frame every 30. Made by:
/// <code>
/// gst-launch-1.0 videotestsrc pattern=ball num-buffers=60 ! video/x-raw,format=I420,width=320,height=240,framerate=30/1 ! y4menc !
/// filesink location=ball.y4m vpxenc --codec=vp8 --ivf --rt --cpu-used=8 --target-bitrate=300 --kf-max-dist=30 --kf-min-dist=30 -o ball.ivf
/// ball.y4m gst-launch-1.0 videotestsrc pattern=ball num-buffers=60 ! video/x-raw,width=320,height=240,framerate=30/1 ! x264enc
/// tune=zerolatency speed-preset=veryfast bitrate=300 key-int-max=30 !
///     video/x-h264,profile=constrained-baseline,stream-format=byte-stream,alignment=au ! filesink location=ball.h264
/// </code>
/// </summary>
internal static class VideoClip
{
    public const int Width = 320;
    public const int Height = 240;

    public static IReadOnlyList<EncodedVideo> Read(VideoCodec codec) => codec == VideoCodec.Vp8 ? ReadIvf() : ReadAnnexB();

    private static List<EncodedVideo> ReadIvf()
    {
        var bytes = Resource("ball.ivf");
        var frames = new List<EncodedVideo>();
        for (var at = 32; at + 12 <= bytes.Length; )
        {
            var length = BinaryPrimitives.ReadInt32LittleEndian(bytes.AsSpan(at));
            var frame = bytes.AsMemory(at + 12, length);
            frames.Add(new EncodedVideo(frame, 0, (frame.Span[0] & 1) == 0, Width, Height));
            at += 12 + length;
        }

        return frames;
    }

    // An access unit begins at a delimiter, a parameter set or SEI behind a slice, or at each slice (one slice a frame).
    private static List<EncodedVideo> ReadAnnexB()
    {
        var bytes = Resource("ball.h264");
        var frames = new List<EncodedVideo>();
        var (start, isKey, hasSlice) = (0, false, false);
        for (var at = 0; at + 4 < bytes.Length; at++)
        {
            if (bytes[at] != 0 || bytes[at + 1] != 0 || bytes[at + 2] != 1)
            {
                continue;
            }

            var type = bytes[at + 3] & 0x1F;
            var isSlice = type is 1 or 5 && (bytes[at + 4] & 0x80) != 0; // first_mb_in_slice is 0
            if (hasSlice && (isSlice || type is 6 or 7 or 9))
            {
                frames.Add(new EncodedVideo(bytes.AsMemory(start, at - start), 0, isKey, Width, Height));
                (start, isKey, hasSlice) = (at, false, false);
            }

            isKey |= type == 5;
            hasSlice |= isSlice;
        }

        frames.Add(new EncodedVideo(bytes.AsMemory(start), 0, isKey, Width, Height));
        return frames;
    }

    private static byte[] Resource(string name)
    {
        using var stream = typeof(VideoClip).Assembly.GetManifestResourceStream(name)!;
        var bytes = new byte[stream.Length];
        stream.ReadExactly(bytes);
        return bytes;
    }
}
