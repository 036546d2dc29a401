using System.Globalization;
using Microsoft.Playwright;

namespace Oriel.Desktop.Tests;

/// <summary>The desktop's terminal, used through the page: clicked into and typed at as a person does.</summary>
internal static class Terminal
{
    private const int Attempts = 3;
    private static int Count;

    /// <summary>A command that fills lines of the terminal with a colour.</summary>
    public static string Paint(int red, int green, int blue) =>
        string.Create(
            CultureInfo.InvariantCulture,
            $"clear; for i in 1 2 3 4 5 6 7 8 9; do printf '\\033[48;2;{red};{green};{blue}m%90s\\033[0m\\n' ' '; done"
        );

    /// <summary>
    /// Types a command and waits until the guest has run it, whole: one that has lost its first keys fails, and is typed again.
    /// </summary>
    public static Task RunAsync(OrielServer server, IPage page, string id, string command) =>
        TypeAsync(server, page, id, proof => $"{command} && touch {proof}");

    /// <summary>Types a command that reads its input, and waits until it has started.</summary>
    public static Task BeginAsync(OrielServer server, IPage page, string id, string command) =>
        TypeAsync(server, page, id, proof => $"touch {proof}; {command}");

    /// <summary>
    /// A window manager gives the keyboard to whichever window asks last: a browser that has just finished loading takes it from the
    /// terminal that was clicked. A person clicks again, and so does this.
    /// </summary>
    private static async Task TypeAsync(OrielServer server, IPage page, string id, Func<string, string> line)
    {
        for (var attempt = 1; ; attempt++)
        {
            var proof = $"/tmp/typed-{Interlocked.Increment(ref Count)}";
            await Pointing.ClickGuestAsync(page, Pointing.Terminal);
            if (attempt > 1)
            {
                // What is left of the last attempt; the terminal forgets what is typed right behind Ctrl-C, so an empty line follows.
                await page.Keyboard.PressAsync("Control+c");
                await page.Keyboard.PressAsync("Enter");
            }

            await TypeAsync(page, line(proof));
            await page.Keyboard.PressAsync("Enter");
            try
            {
                await OrielServer.EventuallyAsync(
                    async () =>
                        (await server.ShellAsync(id, $"test -e {proof}")).ExitCode == 0
                            ? null
                            : $"the terminal has not run: {line(proof)}; see {await Eyes.KeepAsync(page, "terminal")}",
                    TimeSpan.FromSeconds(15)
                );
                return;
            }
            catch (Xunit.Sdk.XunitException) when (attempt < Attempts)
            {
                TestContext.Current.SendDiagnosticMessage($"Typed again: {line(proof)}");
            }
        }
    }

    /// <summary>Types as hands on a US keyboard do, with Shift where a character needs it.</summary>
    private static async Task TypeAsync(IPage page, string text)
    {
        const string Shifted = "~!@#$%^&*()_+{}|:\"<>?";
        string[] codes =
        [
            "Backquote",
            "Digit1",
            "Digit2",
            "Digit3",
            "Digit4",
            "Digit5",
            "Digit6",
            "Digit7",
            "Digit8",
            "Digit9",
            "Digit0",
            "Minus",
            "Equal",
            "BracketLeft",
            "BracketRight",
            "Backslash",
            "Semicolon",
            "Quote",
            "Comma",
            "Period",
            "Slash",
        ];
        foreach (var c in text)
        {
            var at = Shifted.IndexOf(c);
            await page.Keyboard.PressAsync(
                c == ' ' ? "Space"
                : at < 0 ? c.ToString()
                : "Shift+" + codes[at]
            );
        }
    }
}
