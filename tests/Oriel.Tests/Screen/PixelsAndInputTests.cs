using System.Buffers.Binary;
using System.Text;
using Oriel.Screen.Png;
using Oriel.Screen.X11.Capture;
using Oriel.Screen.X11.Keyboard;
using Oriel.Screen.X11.Raw;
using Oriel.Screen.Yuv;

namespace Oriel.Tests.Screen;

/// <summary>The parts of the display that need no X server.</summary>
public sealed class PixelsAndInputTests
{
    [Fact]
    public void WheelAccumulator_Fractions_AddUpToNotches()
    {
        var wheel = new WheelAccumulator(4, 5);
        Assert.Equal((5u, 0), wheel.Add(50));
        Assert.Equal((5u, 0), wheel.Add(50));
        Assert.Equal((5u, 1), wheel.Add(50));
        Assert.Equal((5u, 2), wheel.Add(210));
    }

    [Fact]
    public void WheelAccumulator_ChangeOfDirection_DropsTheRest()
    {
        var wheel = new WheelAccumulator(4, 5);
        wheel.Add(110);
        Assert.Equal((4u, 1), wheel.Add(-120));
    }

    [Fact]
    public void WheelAccumulator_HugeDelta_IsBounded()
    {
        Assert.Equal((4u, 20), new WheelAccumulator(4, 5).Add(int.MinValue));
    }

    [Theory]
    [InlineData("KeyA", 38)]
    [InlineData("Digit1", 10)]
    [InlineData("Enter", 36)]
    [InlineData("ArrowUp", 111)]
    [InlineData("MetaLeft", 133)]
    [InlineData("F12", 96)]
    [InlineData("NumpadEnter", 104)]
    [InlineData("Delete", 119)]
    [InlineData("AltRight", 108)]
    [InlineData("IntlBackslash", 94)]
    [InlineData("NoSuchKey", 0)]
    public void KeyCodes_Code_IsTheEvdevPlace(string code, int keycode) => Assert.Equal(keycode, KeyCodes.Find(code));

    [Fact]
    public void XAuthority_FormattedCookie_IsReadBack()
    {
        byte[] cookie = [.. Enumerable.Range(0, 16).Select(i => (byte)i)];
        var file = XAuthority.FormatCookie(":7", cookie);
        Assert.Equal(cookie, XAuthority.ParseCookie(file, "7"));
        // The only cookie of a file is tried for any display.
        Assert.Equal(cookie, XAuthority.ParseCookie(file, "8"));
    }

    [Fact]
    public void XAuthority_CookieOfNoDisplay_IsOneOfAnyHostAndNumber()
    {
        var file = XAuthority.FormatCookie("", new byte[16]);
        Assert.Equal([0xff, 0xff, 0, 0, 0, 0, 0, 18, .. "MIT-MAGIC-COOKIE-1"u8, 0, 16, .. new byte[16]], file);
        Assert.Equal(new byte[16], XAuthority.ParseCookie([.. XAuthority.FormatCookie(":7", [1, 2]), .. file], "99"));
    }

    [Fact]
    public void XAuthority_CutAnywhere_GivesNoCookieAndNoError()
    {
        var file = XAuthority.FormatCookie(":7", new byte[16]);
        for (var length = 0; length < file.Length; length++)
        {
            Assert.Null(XAuthority.ParseCookie(file.AsSpan(0, length), "7"));
        }
    }

    [Fact]
    public void Unpremultiply_HalfTransparent_GivesTheFullColour()
    {
        nuint[] pixels = [0x80402010, 0xFF112233, 0x00FFFFFF];
        Assert.Equal([32, 64, 128, 0x80, 0x33, 0x22, 0x11, 0xFF, 0, 0, 0, 0], XCursorReader.Unpremultiply(pixels));
    }

    [Fact]
    public void PixelRectangle_Aligned_CoversItsPixelsWithinTheScreen()
    {
        Assert.Equal(new PixelRectangle(2, 4, 6, 4), new PixelRectangle(3, 5, 4, 2).AlignedTo(100, 100));
        Assert.Equal(new PixelRectangle(98, 98, 2, 2), new PixelRectangle(99, 99, 50, 50).AlignedTo(100, 100));
        Assert.True(new PixelRectangle(120, 10, 5, 5).AlignedTo(100, 100).IsEmpty);
        Assert.Equal(new PixelRectangle(0, 0, 4, 4), new PixelRectangle(-5, -5, 8, 8).AlignedTo(100, 100));
    }

    [Fact]
    public void PngEncoder_AnyPicture_HasItsSizeAndChunks()
    {
        var png = PngEncoder.EncodeBgra(new byte[5 * 3 * 4], 5, 3);
        Assert.Equal(5, BinaryPrimitives.ReadInt32BigEndian(png.AsSpan(16)));
        Assert.Equal(3, BinaryPrimitives.ReadInt32BigEndian(png.AsSpan(20)));
        Assert.Equal("IEND", Encoding.ASCII.GetString(png.AsSpan(png.Length - 8, 4)));
        // The end chunk's check sum is the same in every PNG (ISO/IEC 15948).
        Assert.Equal(0xAE426082u, BinaryPrimitives.ReadUInt32BigEndian(png.AsSpan(png.Length - 4)));
    }
}
