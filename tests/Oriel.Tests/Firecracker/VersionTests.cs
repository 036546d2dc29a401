using Oriel.Keeper.Drivers.Firecracker;

namespace Oriel.Tests.Firecracker;

/// <summary>Which Firecracker is there, and what it can.</summary>
public sealed class VersionTests
{
    [Theory]
    [InlineData("Firecracker v1.10.1\n\n", "1.10.1")]
    [InlineData("Firecracker v1.17.0-dev\n", "1.17.0")]
    [InlineData("Firecracker v1.10.0\nSupported snapshot data format versions: v4.0.0\n", "1.10.0")]
    [InlineData("Firecracker v1.99.12-34-gabcdef", "1.99.12")]
    public void Judge_UsableVersion_IsParsed(string output, string version) =>
        Assert.Equal(version, FirecrackerProbe.Judge("firecracker", output, 0).Version.ToString());

    [Theory]
    [InlineData("Firecracker v1.9.1\n", "too old: Oriel needs 1.10.0 or later, below 2.0.0. Install a newer release")]
    [InlineData("Firecracker v0.25.2\n", "too old")]
    [InlineData("Firecracker v2.0.0\n", "newer than what Oriel knows")]
    public void Judge_VersionThatCannotBeUsed_SaysWhatToDo(string output, string why)
    {
        var refused = Assert.Throws<InvalidOperationException>(() => FirecrackerProbe.Judge("firecracker", output, 0));
        Assert.Contains(why, refused.Message);
        Assert.Contains("--driver qemu", refused.Message);
    }

    [Theory]
    [InlineData("", 0)]
    [InlineData("QEMU emulator version 7.2\n", 0)]
    [InlineData("Firecracker v1.10\n", 0)]
    [InlineData("Firecracker v1.10.1.2\n", 0)]
    [InlineData("Firecracker v1.-1.0\n", 0)]
    [InlineData("Firecracker v1.99999999999.0\n", 0)]
    [InlineData("Firecracker v1.10.1\n", 1)]
    public void Judge_WhatIsNoVersion_IsRefused(string output, int exitCode) =>
        Assert.Contains(
            "named no version",
            Assert.Throws<InvalidOperationException>(() => FirecrackerProbe.Judge("firecracker", output, exitCode)).Message
        );

    [Fact]
    public async Task RunAsync_NoSuchProgram_SaysWhatToInstall()
    {
        var refused = await Assert.ThrowsAsync<InvalidOperationException>(() =>
            FirecrackerProbe.RunAsync("/nowhere/firecracker", TestContext.Current.CancellationToken)
        );
        Assert.Contains("install Firecracker 1.10.0 or later", refused.Message);
    }

    [Fact]
    public async Task RunAsync_ProgramThatTalksWithoutEnd_IsEnded()
    {
        var script = Path.Combine(Directory.CreateTempSubdirectory("fc").FullName, "firecracker");
        await File.WriteAllTextAsync(script, "#!/bin/sh\nexec yes 2>/dev/null\n", TestContext.Current.CancellationToken);
        File.SetUnixFileMode(script, UnixFileMode.UserRead | UnixFileMode.UserExecute);
        var refused = await Assert.ThrowsAsync<InvalidOperationException>(() =>
            FirecrackerProbe.RunAsync(script, TestContext.Current.CancellationToken)
        );
        Directory.Delete(Path.GetDirectoryName(script)!, recursive: true);
        Assert.Contains("named no version of Firecracker: \"y\"", refused.Message);
    }

    [Theory]
    [InlineData(10, false, false, false)]
    [InlineData(11, false, false, false)]
    [InlineData(12, true, false, false)]
    [InlineData(13, true, true, false)]
    [InlineData(15, true, true, false)]
    [InlineData(16, true, true, true)]
    [InlineData(17, true, true, true)]
    public void Capabilities_OfAVersion_AreThoseOfItsChangelog(int minor, bool network, bool sparse, bool vsockAndClock) =>
        Assert.Equal(
            new FirecrackerCapabilities(network, sparse, vsockAndClock, vsockAndClock),
            FirecrackerCapabilities.Of(new FirecrackerVersion(1, minor, 3))
        );
}
