using Oriel.Screen.Codecs;
using Oriel.Screen.Codecs.H264;
using Oriel.Screen.Codecs.Vpx;
using Oriel.Screen.Native;
using Oriel.Screen.Yuv;
using Oriel.TestSupport;

namespace Oriel.Linux.Tests.Display;

/// <summary>The encoders by themselves: no X server, no clock.</summary>
public sealed class EncoderTests
{
    private const int Width = 640,
        Height = 480,
        Fps = 30;

    [Theory]
    [InlineData("vp8", 1_000_000)]
    [InlineData("vp8", 3_000_000)]
    [InlineData("h264", 1_000_000)]
    [InlineData("h264", 3_000_000)]
    public void Encode_MovingPicture_KeepsToTheBitrate(string codec, int bitrate)
    {
        using var encoder = Create(codec, bitrate);
        using var scene = new Scene();
        const int Settle = 60,
            Seconds = 4;
        long bits = 0;
        for (var i = 0; i < Settle + (Seconds * Fps); i++)
        {
            var frame = encoder.Encode(scene.Next(), new() { TimestampUs = i * 1_000_000L / Fps, KeyFrame = i == 0 });
            bits += i >= Settle ? frame.Data.Length * 8 : 0;
        }

        Assert.InRange(bits / Seconds, bitrate / 3, bitrate * 5 / 4);
    }

    [Theory]
    [InlineData("vp8")]
    [InlineData("h264")]
    public void Encode_ManyFrames_StartsNoThread(string codec)
    {
        // A native thread has the name of the thread that started it; the runtime's own come and go with names of theirs.
        const string Name = "encodes alone";
        string[] seen = [];
        var thread = new Thread(() =>
        {
            using var encoder = Create(codec, 2_000_000);
            using var scene = new Scene();
            for (var i = 0; i < 10; i++)
            {
                encoder.Encode(scene.Next(), new() { TimestampUs = i * 33_333L, KeyFrame = i == 0 });
            }

            seen = [.. Directory.EnumerateDirectories("/proc/self/task").Select(NameOf).Where(name => name == Name)];
        })
        {
            Name = Name,
        };
        thread.Start();
        Assert.True(thread.Join(TimeSpan.FromSeconds(60)), "ten frames took a minute");
        Assert.Single(seen);
    }

    /// <summary>The mode for thin links leaves out what is equal to the frame before, however coarse that is.</summary>
    [Fact]
    public void Encode_StillPictureOnAThinLink_BecomesSharp()
    {
        using var encoder = CreateThin();
        using var decoder = new OpenH264Decoder();
        using var picture = Text(0);
        var coarse = Psnr(picture, decoder.Decode(encoder.Encode(picture, new() { KeyFrame = true }).Data)!);
        var sharp = 0.0;
        for (var i = 1; i <= 8; i++)
        {
            var frame = encoder.Encode(picture, new() { TimestampUs = i * 500_000L, Refinement = i });
            Assert.True(frame.Whole);
            sharp = Psnr(picture, decoder.Decode(frame.Data)!);
        }

        Assert.InRange(coarse, 5, 34);
        Assert.InRange(sharp, 40, 100);
    }

    /// <summary>What does not move becomes sharp beside what does, a strip with each frame.</summary>
    [Fact]
    public void Encode_PartThatMovesOnAThinLink_LetsTheRestBecomeSharp()
    {
        using var encoder = CreateThin();
        using var decoder = new OpenH264Decoder();
        using var first = Text(0);
        decoder.Decode(encoder.Encode(first, new() { KeyFrame = true }).Data);
        var wholes = 0;
        var sharp = 0.0;
        for (var i = 1; i <= 120; i++)
        {
            using var picture = Text(i);
            var frame = encoder.Encode(picture, new() { TimestampUs = i * 33_333L, ChangedShare = 0.02 });
            wholes += frame.Whole ? 1 : 0;
            sharp = Psnr(picture, decoder.Decode(frame.Data)!);
        }

        Assert.InRange(wholes, 2, 120);
        Assert.InRange(sharp, 34, 100);
    }

    private static OpenH264Encoder CreateThin()
    {
        Assert.SkipUnless(NativeLibraries.IsAvailable(NativeLibraries.OpenH264), "libopenh264 is not installed");
        return new OpenH264Encoder(Width, Height, 600_000, Fps, screenContent: true);
    }

    /// <summary>Dots as of text over the whole, and a box of 64x64 somewhere.</summary>
    private static I420Picture Text(int box)
    {
        var pixels = new byte[Width * Height * 4];
        var random = new Random(3);
        for (var y = 0; y < Height; y++)
        {
            for (var x = 0; x < Width; x += 2)
            {
                pixels.AsSpan((y * Width + x) * 4, 8).Fill(y % 16 < 10 && random.Next(3) == 0 ? (byte)0xD8 : (byte)0x20);
            }
        }

        for (var y = 100; y < 164; y++)
        {
            pixels.AsSpan((y * Width + box * 4 % 512) * 4, 64 * 4).Fill(0x80);
        }

        var picture = new I420Picture(Width, Height);
        picture.Convert(pixels, new(0, 0, Width, Height));
        return picture;
    }

    private static double Psnr(I420Picture picture, DecodedPicture decoded)
    {
        double squares = 0;
        for (var y = 0; y < Height; y++)
        {
            for (var x = 0; x < Width; x++)
            {
                double difference = picture.PlaneY[y * picture.StrideY + x] - decoded.Y[y * decoded.Width + x];
                squares += difference * difference;
            }
        }

        return 10 * Math.Log10(255.0 * 255 * Width * Height / Math.Max(1, squares));
    }

    private static string NameOf(string task)
    {
        try
        {
            return File.ReadAllText($"{task}/comm").TrimEnd();
        }
        catch (IOException)
        {
            return ""; // it ended in the meantime
        }
    }

    private static IVideoEncoder Create(string codec, int bitrate)
    {
        if (codec == "vp8")
        {
            return new Vp8Encoder(Width, Height, bitrate, Fps);
        }

        Assert.SkipUnless(NativeLibraries.IsAvailable(NativeLibraries.OpenH264), "libopenh264 is not installed");
        return new OpenH264Encoder(Width, Height, bitrate, Fps);
    }

    /// <summary>Soft waves that move with some grain in them, as in a film: costs bits in each frame, at any quality.</summary>
    private sealed class Scene : IDisposable
    {
        private readonly I420Picture _picture = new(Width, Height);
        private readonly byte[] _pixels = new byte[Width * Height * 4];
        private readonly Random _random = new(2);
        private int _frame;

        public I420Picture Next()
        {
            _frame++;
            for (var y = 0; y < Height; y++)
            {
                for (var x = 0; x < Width; x++)
                {
                    var value =
                        128 + (60 * Math.Sin((x + (3 * _frame)) / 23.0)) + (50 * Math.Sin((y - (2 * _frame)) / 31.0)) + _random.Next(-6, 7);
                    _pixels.AsSpan(((y * Width) + x) * 4, 3).Fill((byte)value);
                }
            }

            _picture.Convert(_pixels, new(0, 0, Width, Height));
            return _picture;
        }

        public void Dispose() => _picture.Dispose();
    }
}
