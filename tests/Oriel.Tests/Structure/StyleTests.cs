using System.Diagnostics;
using System.Reflection;

namespace Oriel.Tests.Structure;

/// <summary>
/// One dialect: CSharpier lays the code out at 140 columns, and comments keep to the same width. Names are the compiler's to check
/// (.editorconfig). ./oriel format mends what can be mended.
/// </summary>
public sealed class StyleTests
{
    private const int Width = 140;

    /// <summary>A violation is told with its file and the first line that differs.</summary>
    [Fact]
    public async Task CSharp_IsLaidOutAsTheFormatterDoes()
    {
        var program = typeof(StyleTests)
            .Assembly.GetCustomAttributes<AssemblyMetadataAttribute>()
            .Single(data => data.Key == "CSharpier")
            .Value!;
        Assert.True(File.Exists(program), $"{program} is missing: dotnet restore tests/Oriel.Tests");
        using var check = Process.Start(
            new ProcessStartInfo("dotnet", [program, "check", "src", "tests", "bench"])
            {
                WorkingDirectory = SourceTree.Root,
                RedirectStandardOutput = true,
                RedirectStandardError = true,
            }
        )!;
        var output = check.StandardOutput.ReadToEndAsync(TestContext.Current.CancellationToken);
        var errors = check.StandardError.ReadToEndAsync(TestContext.Current.CancellationToken);
        await check.WaitForExitAsync(TestContext.Current.CancellationToken);
        Assert.True(check.ExitCode == 0, $"Mend it with ./oriel format:\n{await output}{await errors}");
    }

    [Fact]
    public void Comments_AreAtMost140ColumnsWide()
    {
        var wide =
            from folder in (string[])["src", "tests", "bench"]
            from path in SourceTree.Sources(folder)
            where !path.Contains("/Migrations/", StringComparison.Ordinal)
            from line in SourceTree.Read(path).Split('\n').Select((text, index) => (Text: text, Number: index + 1))
            where line.Text.Length > Width && line.Text.TrimStart().StartsWith("//", StringComparison.Ordinal)
            select $"{path}:{line.Number}: comment wider than {Width} columns";
        Assert.Empty(wide);
    }
}
