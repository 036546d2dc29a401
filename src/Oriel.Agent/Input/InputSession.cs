using Oriel.Agent.Screens;
using Oriel.Linux.Clocks;
using Oriel.Protocol.Display;
using Oriel.Screen.X11.Keyboard;

namespace Oriel.Agent.Input;

/// <summary>One Input call: applies its events in order and lifts all that it holds down when it ends, however it ends.</summary>
internal sealed class InputSession(XDisplayAddress address, PointerPosition pointer, SharedKeys keys) : IDisposable
{
    /// <summary>A text event is cut at this many UTF-16 units.</summary>
    internal const int MaxTextLength = 16 * 1024;

    private const int MaxCoordinate = 32767,
        MaxNameLength = 64;
    private readonly XInput _input = XInput.Open(address.Name, address.AuthorityPath, keys.Of(address));

    internal ulong Events { get; private set; }

    internal void Apply(InputEvent e)
    {
        Events++;
        if (PositionOf(e) is { } position)
        {
            pointer.Inject(position.X, position.Y, MonotonicClock.NowUs);
        }

        switch (e.KindCase)
        {
            case InputEvent.KindOneofCase.Move:
                _input.Move(Clamp(e.Move.X), Clamp(e.Move.Y));
                break;
            case InputEvent.KindOneofCase.Button:
                _input.Button(Clamp(e.Button.X), Clamp(e.Button.Y), e.Button.Button, e.Button.Down);
                break;
            case InputEvent.KindOneofCase.Wheel:
                _input.Wheel(Clamp(e.Wheel.X), Clamp(e.Wheel.Y), e.Wheel.Dx, e.Wheel.Dy);
                break;
            case InputEvent.KindOneofCase.Key when e.Key.Code.Length <= MaxNameLength && e.Key.Key_.Length <= MaxNameLength:
                _input.Key(e.Key.Code, e.Key.Key_, e.Key.Down);
                break;
            case InputEvent.KindOneofCase.Text:
                _input.Text(e.Text.Length <= MaxTextLength ? e.Text : e.Text[..MaxTextLength]);
                break;
            case InputEvent.KindOneofCase.ReleaseAll when e.ReleaseAll:
                _input.ReleaseAll();
                break;
        }
    }

    public void Dispose() => _input.Dispose();

    private static (int X, int Y)? PositionOf(InputEvent e) =>
        e.KindCase switch
        {
            InputEvent.KindOneofCase.Move => (Clamp(e.Move.X), Clamp(e.Move.Y)),
            InputEvent.KindOneofCase.Button => (Clamp(e.Button.X), Clamp(e.Button.Y)),
            InputEvent.KindOneofCase.Wheel => (Clamp(e.Wheel.X), Clamp(e.Wheel.Y)),
            _ => null,
        };

    private static int Clamp(int value) => Math.Clamp(value, 0, MaxCoordinate);
}
