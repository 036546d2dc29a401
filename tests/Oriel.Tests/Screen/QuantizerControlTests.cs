using Oriel.Screen.Codecs;

namespace Oriel.Tests.Screen;

/// <summary>
/// On a scale where 6 are an octave, with a picture of 720p: a link of 1.5 Mbit/s takes 6,250 bytes in a thirtieth of a second.
/// </summary>
public sealed class QuantizerControlTests
{
    private const int Rate = 1_500_000,
        Interval = 33_333;

    private readonly QuantizerControl _control = new(
        new QuantizerScale([.. Enumerable.Range(0, 52).Select(q => q / 6.0)], 22, 22, 28),
        1280 * 720
    );
    private long _at;

    [Fact]
    public void Frames_OfContentAsDearAsEver_SettleWhereTheLinkTakesThem()
    {
        var bytes = Settle(octaves: 17);
        Assert.InRange(bytes, 4_500, 6_300);
    }

    /// <summary>What one frame had too much, the next ones have less.</summary>
    [Fact]
    public void Frame_AfterOneThatWasTooLarge_IsCoarserAtOnceAndTheLinkCatchesUp()
    {
        Settle(octaves: 17);
        var before = Next();
        _control.Encoded(40_000);
        Assert.InRange(Next(), before + 6, 51);
        var sent = 0;
        for (var i = 0; i < 30; i++)
        {
            sent += Encode(17);
        }

        Assert.InRange(sent, 0, 30 * 6_250 - 20_000);
    }

    [Fact]
    public void Frames_ThatBecameCheap_GetFinerByHalfAnOctaveAtMost()
    {
        Settle(octaves: 17);
        var last = Next();
        _control.Encoded(100);
        for (var i = 0; i < 12; i++)
        {
            var next = Next();
            Assert.InRange(next, last - 3, 51);
            _control.Encoded(100);
            last = next;
        }

        Assert.Equal(22, last);
    }

    /// <summary>
    /// All of the screen after a cursor that blinked: as text that nobody has seen, before the first such frame has been too large.
    /// </summary>
    [Fact]
    public void Frame_OfMuchMoreThanBefore_IsExpectedToBeDear()
    {
        for (var i = 0; i < 30; i++)
        {
            Next(share: 0.01);
            _control.Encoded(300);
        }

        Assert.InRange(Next(share: 1), 40, 51);
    }

    [Fact]
    public void Frames_OnAWideLink_AreTheFinest()
    {
        Assert.Equal(28, _control.Next(0, 100_000_000, keyFrame: true, 0, 1));
        _control.Encoded(150_000);
        for (var i = 0; i < 8; i++)
        {
            _at += Interval;
            _control.Next(_at, 100_000_000, keyFrame: false, 0, 1);
            _control.Encoded(20_000);
        }

        _at += Interval;
        Assert.Equal(22, _control.Next(_at, 100_000_000, keyFrame: false, 0, 1));
    }

    [Fact]
    public void Refinements_EachAreFinerUntilTheFinest()
    {
        var last = _control.Next(0, Rate, keyFrame: true, 0, 1);
        _control.Encoded(50_000);
        for (var step = 1; step <= 12; step++)
        {
            var next = _control.Next(step * 500_000L, Rate, keyFrame: false, step, 1);
            _control.Encoded(25_000);
            Assert.True(next < last || next == 22, $"{last} then {next}");
            last = next;
        }

        Assert.Equal(22, last);
    }

    private int Settle(double octaves)
    {
        var bytes = 0;
        for (var i = 0; i < 60; i++)
        {
            bytes = Encode(octaves);
        }

        return bytes;
    }

    /// <summary>A frame of content that has so many octaves of bytes at a step of 1.</summary>
    private int Encode(double octaves)
    {
        var bytes = (int)Math.Pow(2, octaves - Next() / 6.0);
        _control.Encoded(bytes);
        return bytes;
    }

    private int Next(double share = 1)
    {
        _at += Interval;
        return _control.Next(_at, Rate, keyFrame: false, 0, share);
    }
}
