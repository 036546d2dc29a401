using Microsoft.EntityFrameworkCore;

namespace Oriel.Desktops.Store;

/// <summary>The server's own state: desktops, their life events, sessions, and hashes of tokens.</summary>
public sealed class DesktopDbContext(DbContextOptions<DesktopDbContext> options) : DbContext(options)
{
    public DbSet<DesktopRecord> Desktops => Set<DesktopRecord>();

    public DbSet<DesktopEventRecord> Events => Set<DesktopEventRecord>();

    public DbSet<TokenRecord> Tokens => Set<TokenRecord>();

    public DbSet<SessionRecord> Sessions => Set<SessionRecord>();

    protected override void OnModelCreating(ModelBuilder modelBuilder)
    {
        modelBuilder.Entity<DesktopRecord>(desktop =>
        {
            desktop.HasKey(d => d.Id);
            desktop.Property(d => d.Id).HasMaxLength(12);
            desktop.Property(d => d.State).HasMaxLength(16);
            desktop.HasIndex(d => d.State);
        });
        modelBuilder.Entity<DesktopEventRecord>(item =>
        {
            item.HasKey(e => new { e.DesktopId, e.Sequence });
            item.HasOne<DesktopRecord>().WithMany().HasForeignKey(e => e.DesktopId).OnDelete(DeleteBehavior.Cascade);
        });
        modelBuilder.Entity<TokenRecord>(token =>
        {
            token.HasKey(t => t.Hash);
            token.Property(t => t.Hash).HasMaxLength(64);
            token.Property(t => t.Kind).HasMaxLength(16);
            token.HasIndex(t => t.ExpiresAt);
        });
        modelBuilder.Entity<SessionRecord>(session =>
        {
            session.HasKey(s => s.Hash);
            session.Property(s => s.Hash).HasMaxLength(64);
            session.Property(s => s.Id).HasMaxLength(12).IsRequired();
            session.HasIndex(s => s.Id).IsUnique();
            session.HasIndex(s => s.ExpiresAt);
        });
    }
}

/// <summary>What outlives the server of one desktop. Times are Unix milliseconds, UTC.</summary>
public sealed class DesktopRecord
{
    public required string Id { get; set; }
    public required string Name { get; set; }
    public required string Template { get; set; }
    public required string State { get; set; }
    public string? ReasonJson { get; set; }
    public required string ImageName { get; set; }
    public required string ImageDigest { get; set; }
    public required string Driver { get; set; }
    public int Width { get; set; }
    public int Height { get; set; }
    public required string Hostname { get; set; }
    public long CreatedAt { get; set; }
    public long? ReadyAt { get; set; }
    public long? EndedAt { get; set; }
    public long? ExpiresAt { get; set; }
    public long? IdleTimeoutMs { get; set; }
    public long? IdlePauseMs { get; set; }
    public required string EgressPolicyJson { get; set; }
    public required string StepsJson { get; set; }
    public string? AttestationJson { get; set; }

    /// <summary>No event at or above this sequence was given out yet.</summary>
    public long EventCeiling { get; set; }
}

/// <summary>A state, step or end event.</summary>
public sealed class DesktopEventRecord
{
    public required string DesktopId { get; set; }
    public long Sequence { get; set; }
    public required string Type { get; set; }
    public long At { get; set; }
    public required string Json { get; set; }
}

/// <summary>A token of which only the hash is kept.</summary>
public sealed class TokenRecord
{
    /// <summary>Hex of SHA-256.</summary>
    public required string Hash { get; set; }

    /// <summary><c>sign-in</c> (one use).</summary>
    public required string Kind { get; set; }

    public long ExpiresAt { get; set; }
}

/// <summary>Somebody who is signed in. Times are Unix milliseconds, UTC.</summary>
public sealed class SessionRecord
{
    /// <summary>Hex of SHA-256 of the cookie.</summary>
    public required string Hash { get; set; }

    /// <summary>By which it is named to people: no secret, and made of none.</summary>
    public required string Id { get; set; }

    public long CreatedAt { get; set; }

    public long LastUsedAt { get; set; }

    public long ExpiresAt { get; set; }

    /// <summary>Where it was made from; empty where that is not known.</summary>
    public required string Address { get; set; }

    /// <summary>What it was made with, in short; empty where that is not known.</summary>
    public required string Browser { get; set; }
}
