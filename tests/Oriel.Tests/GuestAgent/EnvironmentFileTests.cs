using Oriel.Agent.Variables;
using Oriel.Protocol;

namespace Oriel.Tests.GuestAgent;

public sealed class EnvironmentFileTests
{
    [Theory]
    [InlineData("A=b", "A", "b")]
    [InlineData("  A=b  ", "A", "b")]
    [InlineData("export A=b", "A", "b")]
    [InlineData("A=\"b c\"", "A", "b c")]
    [InlineData("A='b c'", "A", "b c")]
    [InlineData("A=\"say \"x\" now\"", "A", "say \"x\" now")]
    [InlineData("A=\"open", "A", "open")]
    [InlineData("A=b\"c", "A", "b\"c")]
    [InlineData("A=$HOME", "A", "$HOME")]
    [InlineData("A=b=c", "A", "b=c")]
    [InlineData("A=", "A", "")]
    [InlineData("A=\"", "A", "")]
    [InlineData("_a1=x", "_a1", "x")]
    public void Parse_Line_IsReadAsPamEnvReadsIt(string line, string name, string value) =>
        Assert.Equal([new(name, value)], EnvironmentFile.Parse(line));

    [Theory]
    [InlineData("# A=b")]
    [InlineData("")]
    [InlineData("A")]
    [InlineData("=b")]
    [InlineData("1A=b")]
    [InlineData("A B=c")]
    [InlineData("A-B=c")]
    public void Parse_NoVariable_IsSkipped(string line) => Assert.Empty(EnvironmentFile.Parse(line));

    [Fact]
    public void Parse_NameTwice_LaterWins() => Assert.Equal([new("A", "2")], EnvironmentFile.Parse("A=1\nB\nA=2\n"));

    [Theory]
    [InlineData("")]
    [InlineData(" two  words ")]
    [InlineData("\"quoted\"")]
    [InlineData("'")]
    [InlineData("\"")]
    [InlineData("it's \"both\"")]
    [InlineData("back\\slash\\")]
    [InlineData("a # b")]
    [InlineData("$HOME `id` $(id)")]
    [InlineData("grüße 🪟")]
    public void Merge_AnyValue_IsReadBackAsItWas(string value)
    {
        var merged = EnvironmentFile.Merge("# comment\nKEEP=1\nA=old\n", new Dictionary<string, string> { ["A"] = value });
        Assert.StartsWith("# comment\nKEEP=1\n", merged);
        Assert.Equal([new("KEEP", "1"), new("A", value)], EnvironmentFile.Parse(merged));
    }

    [Fact]
    public void Parse_RandomText_NeverFails()
    {
        var random = new Random(20261123);
        const string Alphabet = "A=\"'# \t\\\nexport $x1_é\0";
        for (var i = 0; i < 20_000; i++)
        {
            var text = new string(random.GetItems<char>(Alphabet, random.Next(40)));
            Assert.All(EnvironmentFile.Parse(text), variable => Assert.True(GuestRules.IsVariableName(variable.Key)));
        }
    }
}
