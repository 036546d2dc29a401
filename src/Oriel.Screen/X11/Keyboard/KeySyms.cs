using System.Text;

namespace Oriel.Screen.X11.Keyboard;

/// <summary>Keysyms of characters (X11 protocol, appendix A: Latin-1 as they are, Unicode at 0x01000000).</summary>
internal static class KeySyms
{
    private const uint Unicode = 0x01000000,
        EuroSign = 0x20AC;

    internal static uint FromCharacter(Rune character) =>
        character.Value switch
        {
            >= 0x20 and < 0x7F or >= 0xA0 and <= 0xFF => (uint)character.Value,
            0x20AC => EuroSign,
            var value => Unicode | (uint)value,
        };

    /// <summary>Whether the keysym is that of the character, in either of its forms.</summary>
    internal static bool IsCharacter(uint keysym, Rune character) =>
        keysym == FromCharacter(character) || keysym == (Unicode | (uint)character.Value);

    /// <summary>The character of a keysym in Latin-1 or Unicode form; empty for others.</summary>
    internal static string ToText(uint keysym) =>
        keysym switch
        {
            >= 0x20 and < 0x7F or >= 0xA0 and <= 0xFF => ((char)keysym).ToString(),
            EuroSign => "€",
            > Unicode and <= Unicode + 0x10FFFF when Rune.TryCreate(keysym - Unicode, out var character) => character.ToString(),
            _ => "",
        };
}
