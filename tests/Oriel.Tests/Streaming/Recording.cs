using System.Buffers.Binary;

namespace Oriel.Tests.Streaming;

/// <summary>
/// Thirty frames of 320x240, a yellow block crossing a blue ground; the first is a key frame. Made by Recordings/record.c.
/// </summary>
internal sealed class Recording
{
    public const int Width = 320;
    public const int Height = 240;

    private Recording(List<(byte[] Data, bool IsKey)> frames) => Frames = frames;

    public static Recording Vp8 { get; } = Read("bars.vp8");

    public static Recording H264 { get; } = Read("bars.h264");

    public List<(byte[] Data, bool IsKey)> Frames { get; }

    private static Recording Read(string name)
    {
        using var stream = typeof(Recording).Assembly.GetManifestResourceStream(name)!;
        var frames = new List<(byte[], bool)>();
        Span<byte> head = stackalloc byte[5];
        while (stream.ReadAtLeast(head, 5, throwOnEndOfStream: false) == 5)
        {
            var data = new byte[BinaryPrimitives.ReadInt32BigEndian(head)];
            stream.ReadExactly(data);
            frames.Add((data, head[4] != 0));
        }

        return new Recording(frames);
    }
}
