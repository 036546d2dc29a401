using Grpc.Core;
using Oriel.Linux.Codecs;
using Oriel.Linux.Vpx;
using Oriel.Linux.X11;
using Oriel.Protocol.Display;

namespace Oriel.Linux.Tests.Display;

public sealed class VideoTests
{
    private static readonly TimeSpan Deadline = TimeSpan.FromSeconds(60);

    [Fact]
    public async Task Video_ColourPattern_DecodesToItsColours()
    {
        await using var server = await XServer.StartAsync();
        await using var host = await DisplayHost.StartAsync(server.Address);
        using var painter = new XPainter(server.Address.Name, server.Address.AuthorityPath, 640, 480);
        uint[] colors = [0xFF0000, 0x00FF00, 0x0000FF, 0xFFFFFF, 0xFFC040];
        for (var i = 0; i < colors.Length; i++)
        {
            painter.Fill(new(i * 128, 0, 128, 480), colors[i]);
        }

        painter.Sync();
        using var cancel = new CancellationTokenSource(Deadline);
        using var call = host.Client.Video(cancellationToken: cancel.Token);
        await call.RequestStream.WriteAsync(new VideoControl { Start = new VideoStart { Codec = Codec.Vp8, Bitrate = 8_000_000, MaxFps = 30 } }, cancel.Token);
        using var decoder = new Vp8Decoder();
        await call.ResponseStream.MoveNext(cancel.Token);
        var frame = call.ResponseStream.Current;
        var picture = decoder.Decode(frame.Data.Span)!;

        Assert.True(frame.KeyFrame);
        Assert.Equal((640, 480), (picture.Width, picture.Height));
        Assert.True(frame.DamageUs <= frame.CaptureUs && frame.CaptureUs <= frame.EncodedUs);
        for (var i = 0; i < colors.Length; i++)
        {
            AssertColor(colors[i], picture.ReadColor(i * 128 + 64, 240));
        }
    }

    internal static void AssertColor(uint expected, (byte Red, byte Green, byte Blue) found)
    {
        var distance = Math.Abs((int)(expected >> 16) - found.Red) + Math.Abs((int)(expected >> 8 & 255) - found.Green) + Math.Abs((int)(expected & 255) - found.Blue);
        Assert.True(distance < 40, $"expected {expected:X6}, found {found}");
    }
}
