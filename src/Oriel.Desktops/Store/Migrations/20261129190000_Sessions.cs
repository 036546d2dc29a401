using Microsoft.EntityFrameworkCore.Migrations;

#nullable disable

namespace Oriel.Desktops.Store.Migrations
{
    /// <inheritdoc />
    public partial class Sessions : Migration
    {
        /// <inheritdoc />
        protected override void Up(MigrationBuilder migrationBuilder)
        {
            migrationBuilder.CreateTable(
                name: "Sessions",
                columns: table => new
                {
                    Hash = table.Column<string>(type: "TEXT", maxLength: 64, nullable: false),
                    Id = table.Column<string>(type: "TEXT", maxLength: 12, nullable: false),
                    CreatedAt = table.Column<long>(type: "INTEGER", nullable: false),
                    LastUsedAt = table.Column<long>(type: "INTEGER", nullable: false),
                    ExpiresAt = table.Column<long>(type: "INTEGER", nullable: false),
                    Address = table.Column<string>(type: "TEXT", nullable: false),
                    Browser = table.Column<string>(type: "TEXT", nullable: false)
                },
                constraints: table =>
                {
                    table.PrimaryKey("PK_Sessions", x => x.Hash);
                });

            migrationBuilder.CreateIndex(
                name: "IX_Sessions_ExpiresAt",
                table: "Sessions",
                column: "ExpiresAt");

            migrationBuilder.CreateIndex(
                name: "IX_Sessions_Id",
                table: "Sessions",
                column: "Id",
                unique: true);

            // Nobody is signed out. They lasted 30 days then, so their beginning is known; nothing else of them is.
            var letter = "substr('abcdefghijklmnopqrstuvwxyz234567', 1 + abs(random() % 32), 1)";
            var id = "'s-' || " + string.Join(" || ", System.Linq.Enumerable.Repeat(letter, 10));
            migrationBuilder.Sql(
                $"""
                INSERT INTO Sessions (Hash, Id, CreatedAt, LastUsedAt, ExpiresAt, Address, Browser)
                SELECT Hash, {id}, ExpiresAt - 2592000000, ExpiresAt - 2592000000, ExpiresAt, '', '' FROM Tokens WHERE Kind = 'session';
                DELETE FROM Tokens WHERE Kind = 'session';
                """);
        }

        /// <inheritdoc />
        protected override void Down(MigrationBuilder migrationBuilder)
        {
            migrationBuilder.DropTable(
                name: "Sessions");
        }
    }
}
