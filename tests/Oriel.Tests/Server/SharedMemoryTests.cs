using System.Diagnostics;
using System.Globalization;
using System.Security.Cryptography;
using Oriel.Desktops.Snapshots;
using Oriel.Linux.Files;
using Oriel.Protocol.Layout;

namespace Oriel.Tests.Server;

public sealed class SharedMemoryTests : IDisposable
{
    private const int Page = 4096;

    private readonly string _snapshot = Directory.CreateTempSubdirectory("oriel-memory-").FullName;

    private static CancellationToken Token => TestContext.Current.CancellationToken;

    private string Memory => new SnapshotDirectory(_snapshot).Memory;

    public void Dispose() => Directory.Delete(_snapshot, recursive: true);

    /// <summary>Pages beside each other, alone, at both ends, across the copy's chunks, and a last one that is not whole.</summary>
    [Theory]
    [InlineData(1000 * Page, 0, 1, 2, 254, 255, 256, 257, 511, 999)]
    [InlineData((1000 * Page) + 17, 5, 998, 1000)]
    [InlineData(300 * Page)]
    public async Task Copy_OfAFileWithHoles_IsTheSameAndTakesNoMemoryForThem(int length, params int[] written)
    {
        var content = new byte[length];
        foreach (var page in written)
        {
            RandomNumberGenerator.Fill(content.AsSpan(page * Page, Math.Min(Page, length - (page * Page))));
        }

        await File.WriteAllBytesAsync(Memory, content, Token);
        using var memory = await SealedMemory.CopyAsync(Memory, Token);
        var copy = await File.ReadAllBytesAsync(memory.Path, Token);
        Assert.True(content.AsSpan().SequenceEqual(copy));
        Assert.Equal(written.Length * (Page / 512), await BlocksAsync(memory.Path));
    }

    [Fact]
    public async Task Copy_OpenedForWriting_TakesNothing()
    {
        await File.WriteAllTextAsync(Memory, "memory", Token);
        using var memory = await SealedMemory.CopyAsync(Memory, Token);
        using var opened = File.OpenHandle(memory.Path, access: FileAccess.ReadWrite);
        Assert.Throws<UnauthorizedAccessException>(() => RandomAccess.Write(opened, "x"u8, 0));
        Assert.Throws<UnauthorizedAccessException>(() => RandomAccess.SetLength(opened, 1));
        Assert.Throws<UnauthorizedAccessException>(() => RandomAccess.SetLength(opened, 100));
        Assert.Equal("memory", await File.ReadAllTextAsync(memory.Path, Token));
    }

    [Fact]
    public async Task Take_BySeveral_IsOneCopyForAsLongAsOneOfThemHasIt()
    {
        var memories = new SharedMemories();
        await File.WriteAllTextAsync(Memory, "first", Token);
        var taken = await Task.WhenAll(Enumerable.Range(0, 20).Select(_ => memories.TakeAsync(_snapshot, Token)));
        Assert.Single(taken.Select(one => one.Path).Distinct());
        await File.WriteAllTextAsync(Memory, "second", Token);
        foreach (var one in taken[1..])
        {
            one.Dispose();
            one.Dispose();
        }

        using (var other = await memories.TakeAsync(_snapshot, Token))
        {
            Assert.Equal("first", await File.ReadAllTextAsync(other.Path, Token));
        }

        taken[0].Dispose();
        using var later = await memories.TakeAsync(_snapshot, Token);
        Assert.Equal("second", await File.ReadAllTextAsync(later.Path, Token));
    }

    [Fact]
    public async Task Take_OfWhatCannotBeRead_FailsForAllAndNotForWhoComesLater()
    {
        var memories = new SharedMemories();
        await Assert.ThrowsAsync<FileNotFoundException>(() =>
            Task.WhenAll(memories.TakeAsync(_snapshot, Token), memories.TakeAsync(_snapshot, Token))
        );
        await File.WriteAllTextAsync(Memory, "memory", Token);
        using var later = await memories.TakeAsync(_snapshot, Token);
        Assert.Equal("memory", await File.ReadAllTextAsync(later.Path, Token));
    }

    [Fact]
    public async Task Take_GivenUpWhileItIsCopied_LeavesItToTheOthers()
    {
        var memories = new SharedMemories();
        await File.WriteAllTextAsync(Memory, "memory", Token);
        await Assert.ThrowsAnyAsync<OperationCanceledException>(() => memories.TakeAsync(_snapshot, new CancellationToken(canceled: true)));
        using var other = await memories.TakeAsync(_snapshot, Token);
        Assert.Equal("memory", await File.ReadAllTextAsync(other.Path, Token));
    }

    /// <summary>Of 512 bytes.</summary>
    private static async Task<long> BlocksAsync(string path)
    {
        using var stat = Process.Start(new ProcessStartInfo("stat", ["-L", "-c", "%b", path]) { RedirectStandardOutput = true })!;
        var told = await stat.StandardOutput.ReadToEndAsync(Token);
        await stat.WaitForExitAsync(Token);
        return long.Parse(told, CultureInfo.InvariantCulture);
    }
}
