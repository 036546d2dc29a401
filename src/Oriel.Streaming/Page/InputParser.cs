using Oriel.Protocol.Display;

namespace Oriel.Streaming.Page;

/// <summary>Turns a page's input messages into events for the agent; null for anything out of bounds.</summary>
internal static class InputParser
{
    public const int MaxTextLength = 4096;
    private const int MaxNameLength = 32;
    private const int MaxCoordinate = 16383;
    private const int MaxWheel = 120 * 100;
    private const int MaxButton = 4;

    public static InputEvent? Parse(PageMessage message) =>
        message.T switch
        {
            "key"
                when message is { Code: { Length: <= MaxNameLength } code, Key: { Length: <= MaxNameLength } key, Down: { } down }
                    && (code.Length > 0 || key.Length > 0) => new InputEvent
            {
                Key = new Key
                {
                    Code = code,
                    Key_ = key,
                    Down = down,
                },
            },
            "button" when Point(message) is { } at && message is { Button: >= 0 and <= MaxButton, Down: { } down } => new InputEvent
            {
                Button = new PointerButton
                {
                    X = at.X,
                    Y = at.Y,
                    Button = (uint)message.Button,
                    Down = down,
                },
            },
            "wheel"
                when Point(message) is { } at
                    && Number(message.Dx ?? 0, -MaxWheel, MaxWheel) is { } dx
                    && Number(message.Dy ?? 0, -MaxWheel, MaxWheel) is { } dy => new InputEvent
            {
                Wheel = new Wheel
                {
                    X = at.X,
                    Y = at.Y,
                    Dx = dx,
                    Dy = dy,
                },
            },
            "text" when message.Text is { Length: > 0 and <= MaxTextLength } text => new InputEvent { Text = text },
            "release" => new InputEvent { ReleaseAll = true },
            _ => null,
        };

    public static InputEvent Move(int x, int y) =>
        new()
        {
            Move = new PointerMove { X = Math.Min(x, MaxCoordinate), Y = Math.Min(y, MaxCoordinate) },
        };

    public static (int X, int Y)? Point(PageMessage message) =>
        message is { X: { } x, Y: { } y } && double.IsFinite(x) && double.IsFinite(y)
            ? ((int)Math.Round(Math.Clamp(x, 0, MaxCoordinate)), (int)Math.Round(Math.Clamp(y, 0, MaxCoordinate)))
            : null;

    /// <returns>The integer nearest to the value, clamped; null when the value is not finite.</returns>
    public static int? Number(double value, int min, int max) =>
        double.IsFinite(value) ? (int)Math.Round(Math.Clamp(value, min, max)) : null;
}
