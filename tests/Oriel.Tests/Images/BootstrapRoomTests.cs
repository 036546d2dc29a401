using Oriel.Images.Building;

namespace Oriel.Tests.Images;

public sealed class BootstrapRoomTests : IDisposable
{
    private const UnixFileMode Closed = UnixFileMode.UserRead | UnixFileMode.UserWrite | UnixFileMode.UserExecute;
    private const UnixFileMode Open = Closed | UnixFileMode.OtherExecute;

    // mkdtemp makes it closed, as Debian makes homes.
    private readonly string _home = Directory.CreateTempSubdirectory("oriel-home-").FullName;

    public void Dispose() => Directory.Delete(_home, recursive: true);

    [Fact]
    public void Create_BelowAHomeThatIsClosed_IsElsewhereAndPassable()
    {
        var elsewhere = Directory.CreateDirectory(Path.Combine(_home, "elsewhere")).FullName;

        var room = BootstrapRoom.Create(_home, "/store", elsewhere);

        Assert.Equal(elsewhere, Path.GetDirectoryName(room.Path));
        Assert.True(File.GetUnixFileMode(room.Path).HasFlag(UnixFileMode.OtherExecute));
        Assert.Equal([room.Path], BootstrapRoom.Left("/store", elsewhere));
        Assert.Empty(BootstrapRoom.Left("/another", elsewhere));
    }

    [Fact]
    public void Create_WhereEverybodyMayPass_IsInTheBuildsOwnDirectory()
    {
        File.SetUnixFileMode(_home, Open);
        Assert.Equal(Path.Combine(_home, "tmp"), BootstrapRoom.Create(_home, "/store").Path);
    }
}
