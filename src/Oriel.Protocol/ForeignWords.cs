using System.Globalization;
using System.Text;

namespace Oriel.Protocol;

/// <summary>
/// Words of another process, which may be hostile, made fit for a terminal, a log, the database and the page: one line, of bounded length,
/// without anything that moves a cursor, turns the direction of text or cannot be encoded.
/// </summary>
public static class ForeignWords
{
    /// <summary>Of a sentence: what was last seen, or why something failed.</summary>
    public const int Sentence = 2000;

    /// <summary>Of a name, a title, an id.</summary>
    public const int Name = 256;

    private const char Cut = '…';

    /// <summary>Languages and emoji are written with these.</summary>
    private const int ZeroWidthNonJoiner = 0x200C,
        ZeroWidthJoiner = 0x200D;

    /// <summary>Idempotent: what it returned it returns unchanged.</summary>
    /// <param name="most">Characters, the last of which shows that there was more.</param>
    public static string Of(string? said, int most = Sentence)
    {
        if (string.IsNullOrEmpty(said))
        {
            return "";
        }

        // A hostile text may be long: no more of it is looked at than is kept.
        var isCut = said.Length > most;
        var text = new StringBuilder(Math.Min(said.Length, most));
        foreach (var rune in said.AsSpan(0, isCut ? most : said.Length).EnumerateRunes())
        {
            text.Append(
                rune.Value is '\n' or '\r' or '\t' ? " "
                : IsShown(rune) ? rune.ToString()
                : "\uFFFD"
            );
        }

        if (isCut)
        {
            var end = Math.Min(text.Length, most - 1);
            text.Length = end > 0 && char.IsHighSurrogate(text[end - 1]) ? end - 1 : end;
            text.Append(Cut);
        }

        return text.ToString();
    }

    private static bool IsShown(Rune rune) =>
        rune.Value is ZeroWidthNonJoiner or ZeroWidthJoiner
        || Rune.GetUnicodeCategory(rune)
            is not (
                UnicodeCategory.Control
                or UnicodeCategory.Format
                or UnicodeCategory.LineSeparator
                or UnicodeCategory.ParagraphSeparator
            );
}
