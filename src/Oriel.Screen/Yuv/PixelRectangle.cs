namespace Oriel.Screen.Yuv;

/// <summary>A rectangle in pixels of the screen.</summary>
public readonly record struct PixelRectangle(int X, int Y, int Width, int Height)
{
    public int Right => X + Width;

    public int Bottom => Y + Height;

    public bool IsEmpty => Width <= 0 || Height <= 0;

    public bool Contains(PixelRectangle other) => other.X >= X && other.Y >= Y && other.Right <= Right && other.Bottom <= Bottom;

    public PixelRectangle Union(PixelRectangle other)
    {
        var x = Math.Min(X, other.X);
        var y = Math.Min(Y, other.Y);
        return new(x, y, Math.Max(Right, other.Right) - x, Math.Max(Bottom, other.Bottom) - y);
    }

    /// <summary>Expanded to even coordinates and clipped to a screen of even size.</summary>
    public PixelRectangle AlignedTo(int width, int height)
    {
        var x = Math.Clamp(X, 0, width) & ~1;
        var y = Math.Clamp(Y, 0, height) & ~1;
        return new(x, y, Math.Clamp((Right + 1) & ~1, x, width) - x, Math.Clamp((Bottom + 1) & ~1, y, height) - y);
    }
}
