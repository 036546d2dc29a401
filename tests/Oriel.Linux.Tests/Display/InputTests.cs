using Grpc.Core;
using Oriel.Protocol.Display;
using Oriel.TestSupport;

namespace Oriel.Linux.Tests.Display;

public sealed class InputTests
{
    private static readonly TimeSpan Deadline = TimeSpan.FromSeconds(30);

    [Fact]
    public async Task Input_ButtonsAndWheel_ArriveAsXButtons()
    {
        await using var desk = await InputDesk.StartAsync();
        await desk.SendAsync(
            new InputEvent
            {
                Button = new PointerButton
                {
                    X = 30,
                    Y = 40,
                    Button = 0,
                    Down = true,
                },
            }
        );
        await desk.SendAsync(
            new InputEvent
            {
                Button = new PointerButton
                {
                    X = 31,
                    Y = 41,
                    Button = 0,
                    Down = false,
                },
            }
        );
        await desk.SendAsync(
            new InputEvent
            {
                Button = new PointerButton
                {
                    X = 31,
                    Y = 41,
                    Button = 2,
                    Down = true,
                },
            }
        );
        await desk.SendAsync(
            new InputEvent
            {
                Button = new PointerButton
                {
                    X = 31,
                    Y = 41,
                    Button = 2,
                    Down = false,
                },
            }
        );
        for (var i = 0; i < 4; i++)
        {
            await desk.SendAsync(
                new InputEvent
                {
                    Wheel = new Wheel
                    {
                        X = 31,
                        Y = 41,
                        Dy = 60,
                    },
                }
            );
        }

        await desk.SendAsync(
            new InputEvent
            {
                Wheel = new Wheel
                {
                    X = 31,
                    Y = 41,
                    Dx = -240,
                    Dy = -120,
                },
            }
        );

        Assert.Equal((30, 40, 1u, true), desk.ReadButton());
        Assert.Equal((31, 41, 1u, false), desk.ReadButton());
        Assert.Equal(3u, desk.ReadButton().Button);
        Assert.False(desk.ReadButton().Down);
        Assert.Equal([5u, 5u, 4u, 6u, 6u], Enumerable.Range(0, 5).Select(_ => desk.ReadClick()));
    }

    [Theory]
    [InlineData("us")]
    [InlineData("de")]
    [InlineData("fr")]
    public async Task Input_KeyOfAnyLayout_GivesTheCharacterThatTheUserMeant(string layout)
    {
        await using var desk = await InputDesk.StartAsync(layout);
        // What keyboards of these users send: the place of the key and the character on it.
        (string Code, string Key)[] keys =
        [
            ("KeyA", "a"),
            ("KeyQ", "a"),
            ("KeyZ", "y"),
            ("Digit2", "é"),
            ("Semicolon", "ö"),
            ("BracketLeft", "["),
            ("Digit7", "/"),
            ("Minus", "ß"),
            ("KeyE", "€"),
            ("Backslash", "#"),
            ("KeyX", "x"),
        ];
        foreach (var (code, key) in keys)
        {
            await desk.SendKeyAsync(code, key, true);
            await desk.SendKeyAsync(code, key, false);
        }

        var typed = string.Concat(Enumerable.Range(0, keys.Length).Select(_ => desk.ReadText()));
        Assert.Equal(string.Concat(keys.Select(key => key.Key)), typed);
    }

    [Theory]
    [InlineData("us")]
    [InlineData("fr")]
    public async Task Input_ShiftedCharacters_ArriveWithShiftHeld(string layout)
    {
        await using var desk = await InputDesk.StartAsync(layout);
        await desk.SendKeyAsync("ShiftLeft", "Shift", true);
        foreach (var (code, key) in new[] { ("KeyA", "A"), ("Digit2", "@"), ("Slash", "?"), ("Digit7", "/") })
        {
            await desk.SendKeyAsync(code, key, true);
            await desk.SendKeyAsync(code, key, false);
        }

        await desk.SendKeyAsync("ShiftLeft", "Shift", false);
        Assert.Equal("A@?/", string.Concat(Enumerable.Range(0, 4).Select(_ => desk.ReadText())));
    }

    [Theory]
    [InlineData("us")]
    [InlineData("de")]
    public async Task Input_Text_ArrivesAsUnicode(string layout)
    {
        await using var desk = await InputDesk.StartAsync(layout);
        const string Text = "Grüße, 日本語 😀 €→∀ żółć ABCDEFGHIJKLMNOPQRSTUVWXYZ";
        await desk.SendAsync(new InputEvent { Text = Text });

        var typed = "";
        while (typed.Length < Text.Length && desk.TryReadText() is { } next)
        {
            typed += next;
        }

        Assert.Equal(Text, typed);
    }

    /// <summary>
    /// Both lend keycodes to characters that no layout has; each with keycodes of its own idea, one would change what the other types.
    /// </summary>
    [Fact]
    public async Task Input_TwoViewersTypeOtherScripts_NeitherLosesACharacter()
    {
        await using var desk = await InputDesk.StartAsync("us");
        var han = string.Concat(Enumerable.Range(0, 60).Select(i => (char)('\u4E00' + i)));
        var hangul = string.Concat(Enumerable.Range(0, 60).Select(i => (char)('\uAC00' + i)));
        var others = Task.WhenAll(desk.TypeAsAnotherAsync(han), desk.TypeAsAnotherAsync(hangul));

        var typed = "";
        while (typed.Length < han.Length + hangul.Length && desk.TryReadText() is { } next)
        {
            typed += next;
        }

        await others;
        Assert.Equal(han, string.Concat(typed.Where(c => c < '\uAC00')));
        Assert.Equal(hangul, string.Concat(typed.Where(c => c >= '\uAC00')));
    }

    [Fact]
    public async Task Input_Shortcut_GoesByThePlaceOfTheKey()
    {
        await using var desk = await InputDesk.StartAsync("de");
        await desk.SendKeyAsync("ControlLeft", "Control", true);
        await desk.SendKeyAsync("KeyC", "c", true);
        var key = desk.ReadKeyDown(skip: 1);

        Assert.Equal(54u, key.Detail);
        Assert.Equal(4u, key.State & 4);
    }

    [Fact]
    public async Task Input_StreamBroken_LiftsWhatItHeld()
    {
        await using var desk = await InputDesk.StartAsync();
        await desk.SendKeyAsync("ShiftLeft", "Shift", true);
        await desk.SendKeyAsync("AltLeft", "Alt", true);
        await desk.SendAsync(
            new InputEvent
            {
                Button = new PointerButton
                {
                    X = 5,
                    Y = 5,
                    Button = 0,
                    Down = true,
                },
            }
        );
        desk.ReadKeyDown(skip: 1);
        Assert.True(desk.ReadButton().Down);
        desk.Break();

        var lifted = new HashSet<string>();
        while (lifted.Count < 3)
        {
            var e = desk.Read();
            Assert.False(e.Down, $"{e} came after the stream broke");
            lifted.Add($"{e.Kind} {e.Detail}");
        }

        Assert.Equal(["button 1", "key 50", "key 64"], lifted.Order());
    }

    [Fact]
    public async Task Input_ReleaseAll_LiftsKeysOnce()
    {
        await using var desk = await InputDesk.StartAsync();
        await desk.SendKeyAsync("KeyA", "a", true);
        await desk.SendAsync(new InputEvent { ReleaseAll = true });
        await desk.SendKeyAsync("KeyA", "a", false);
        await desk.SendKeyAsync("KeyB", "b", true);

        var seen = new List<(uint, bool)>();
        while (seen.Count == 0 || seen[^1] != (56u, true))
        {
            var e = desk.Read();
            seen.Add((e.Detail, e.Down));
        }

        Assert.Equal((38u, true), seen[0]);
        Assert.Single(seen, e => e == (38u, false));
    }

    /// <summary>Whose release comes late would type on; the viewer's keyboard repeats, and nothing else.</summary>
    [Fact]
    public async Task Input_KeyHeld_RepeatsOnlyAsTheViewerSays()
    {
        await using var desk = await InputDesk.StartAsync();
        await desk.SendKeyAsync("KeyB", "b", true);
        await desk.SendKeyAsync("KeyB", "b", false);
        Assert.Equal("b", desk.ReadText());

        // As a session's settings daemon does when it starts, which is at no time that anybody knows.
        desk.SetKeyRepeat(delayMs: 1, intervalMs: 1);
        await desk.SendKeyAsync("ShiftLeft", "Shift", true);
        await desk.SendKeyAsync("ShiftLeft", "Shift", true);
        await desk.SendKeyAsync("KeyA", "A", true);
        await desk.SendKeyAsync("KeyA", "A", true);
        for (var i = 0; i < 200; i++)
        {
            await desk.SendAsync(
                new InputEvent
                {
                    Button = new PointerButton
                    {
                        X = 5,
                        Y = 5,
                        Button = 0,
                        Down = i % 2 == 0,
                    },
                }
            );
        }

        await desk.SendKeyAsync("KeyC", "C", true);
        var keys = new List<(uint, bool)>();
        do
        {
            if (desk.Read() is { Kind: "key" } e)
            {
                keys.Add((e.Detail, e.Down));
            }
        } while (keys.Count == 0 || keys[^1] != (Keys.C, true));

        Assert.Equal(
            [(Keys.Shift, true), (Keys.A, true), (Keys.A, false), (Keys.A, true), (Keys.C, true)],
            keys.SkipWhile(key => key == (Keys.B, false))
        );
    }

    private static class Keys
    {
        internal const uint Shift = 50,
            A = 38,
            B = 56,
            C = 54;
    }

    /// <summary>An X server of a layout, a window with the keyboard, and an Input call.</summary>
    private sealed class InputDesk : IAsyncDisposable
    {
        private readonly XServer _server;
        private readonly DisplayHost _host;
        private readonly XPainter _painter;
        private readonly CancellationTokenSource _stop = CancellationTokenSource.CreateLinkedTokenSource(
            TestContext.Current.CancellationToken
        );
        private readonly AsyncClientStreamingCall<InputEvent, InputSummary> _call;

        private InputDesk(XServer server, DisplayHost host)
        {
            (_server, _host) = (server, host);
            _painter = new(server.Address.Name, server.Address.AuthorityPath, 400, 300);
            _call = host.Client.Input(cancellationToken: _stop.Token);
        }

        internal static async Task<InputDesk> StartAsync(string? layout = null)
        {
            var server = await XServer.StartAsync();
            if (layout is not null)
            {
                await server.SetLayoutAsync(layout);
            }

            return new InputDesk(server, await DisplayHost.StartAsync(server.Address));
        }

        internal Task SendAsync(InputEvent e) => _call.RequestStream.WriteAsync(e, _stop.Token);

        internal Task SendKeyAsync(string code, string key, bool down) =>
            SendAsync(
                new InputEvent
                {
                    Key = new Key
                    {
                        Code = code,
                        Key_ = key,
                        Down = down,
                    },
                }
            );

        /// <summary>Types in a call of its own, a few characters an event, and ends it.</summary>
        internal async Task TypeAsAnotherAsync(string text)
        {
            using var call = _host.Client.Input(cancellationToken: _stop.Token);
            foreach (var part in text.Chunk(3))
            {
                await call.RequestStream.WriteAsync(new InputEvent { Text = new string(part) }, _stop.Token);
            }

            await call.RequestStream.CompleteAsync();
            await call.ResponseAsync;
        }

        internal void SetKeyRepeat(uint delayMs, uint intervalMs) => _painter.SetKeyRepeat(delayMs, intervalMs);

        internal void Break() => _stop.Cancel();

        internal XPainterEvent Read()
        {
            while (true)
            {
                var e = _painter.ReadInput(Deadline) ?? throw new TimeoutException($"no input event within {Deadline}");
                if (e.Kind != "move")
                {
                    return e;
                }
            }
        }

        internal (int X, int Y, uint Button, bool Down) ReadButton()
        {
            var e = Read();
            Assert.Equal("button", e.Kind);
            return (e.X, e.Y, e.Detail, e.Down);
        }

        internal uint ReadClick()
        {
            Assert.True(ReadButton() is { Down: true } down);
            var up = ReadButton();
            Assert.False(up.Down);
            return up.Button;
        }

        internal XPainterEvent ReadKeyDown(int skip)
        {
            while (true)
            {
                var e = Read();
                if (e is { Kind: "key", Down: true } && skip-- == 0)
                {
                    return e;
                }
            }
        }

        internal string ReadText() => TryReadText() ?? throw new TimeoutException($"no text within {Deadline}");

        internal string? TryReadText()
        {
            while (_painter.ReadInput(Deadline) is { } e)
            {
                if (e is { Kind: "key", Down: true, Text.Length: > 0 })
                {
                    return e.Text;
                }
            }

            return null;
        }

        public async ValueTask DisposeAsync()
        {
            await _stop.CancelAsync();
            _call.Dispose();
            await _host.DisposeAsync();
            _painter.Dispose();
            await _server.DisposeAsync();
            _stop.Dispose();
        }
    }
}
