using Microsoft.Data.Sqlite;
using Microsoft.EntityFrameworkCore;
using Microsoft.EntityFrameworkCore.Design;

namespace Oriel.Desktops.Store;

/// <summary>The one place that makes database contexts: SQLite in WAL mode, in a file that only its owner reads.</summary>
public sealed class DesktopDbContextFactory : IDbContextFactory<DesktopDbContext>
{
    private readonly DbContextOptions<DesktopDbContext> _options;

    public DesktopDbContextFactory(string path)
    {
        Path = path;
        var connection = new SqliteConnectionStringBuilder { DataSource = path, Pooling = true, DefaultTimeout = 30 };
        _options = new DbContextOptionsBuilder<DesktopDbContext>().UseSqlite(connection.ToString()).Options;
    }

    public string Path { get; }

    public DesktopDbContext CreateDbContext() => new(_options);

    /// <summary>Creates the file (0600) or brings it to the newest schema.</summary>
    public async Task MigrateAsync(CancellationToken cancellationToken)
    {
        if (!File.Exists(Path))
        {
            await using var created = new FileStream(Path, new FileStreamOptions
            {
                Mode = FileMode.CreateNew,
                Access = FileAccess.Write,
                UnixCreateMode = UnixFileMode.UserRead | UnixFileMode.UserWrite,
            });
        }

        await using var db = CreateDbContext();
        await db.Database.MigrateAsync(cancellationToken);
        await db.Database.ExecuteSqlRawAsync("PRAGMA journal_mode=WAL; PRAGMA synchronous=NORMAL;", cancellationToken);
    }
}

/// <summary>For <c>dotnet ef migrations add</c> only.</summary>
internal sealed class DesignTimeFactory : IDesignTimeDbContextFactory<DesktopDbContext>
{
    public DesktopDbContext CreateDbContext(string[] args) => new DesktopDbContextFactory("design.db").CreateDbContext();
}
