using Oriel.Protocol;

namespace Oriel.Tests.Agents;

/// <summary>Words of a guest, before they reach a terminal, a log, the database or the page.</summary>
public sealed class ForeignWordsTests
{
    [Theory]
    [InlineData(null, "")]
    [InlineData("exit code 1", "exit code 1")]
    [InlineData("Größe 你好 👩\u200d💻", "Größe 你好 👩\u200d💻")]
    [InlineData("\u001b[31mred\a\u009b2J\u007f", "\uFFFD[31mred\uFFFD\uFFFD2J\uFFFD")]
    [InlineData("one\r\ntwo\tthree", "one  two three")]
    [InlineData("safe\u202Egpj.exe\u2066", "safe\uFFFDgpj.exe\uFFFD")]
    [InlineData("a\u2028b\u2029c", "a\uFFFDb\uFFFDc")]
    public void Words_OfAnyKind_AreOneReadableLine(string? said, string shown) => Assert.Equal(shown, ForeignWords.Of(said));

    [Theory]
    [InlineData("0123456789", "0123456789")]
    [InlineData("0123456789x", "012345678…")]
    [InlineData("01234567👩xx", "01234567…")]
    [InlineData("01234567👩", "01234567👩")]
    [InlineData("\U000E0001\U000E0001\U000E0001\U000E0001\U000E0001\U000E0001", "\uFFFD\uFFFD\uFFFD\uFFFD\uFFFD…")]
    public void Words_TooLong_AreCutBetweenCharacters(string said, string shown)
    {
        Assert.Equal(shown, ForeignWords.Of(said, 10));
        Assert.Equal(shown, ForeignWords.Of(shown, 10));
    }
}
