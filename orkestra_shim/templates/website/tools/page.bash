# shellcheck shell=bash
# Writes pages that look alike: `page TITLE DESCRIPTION <body >file`. The tasks of this project source it.

page() {
  local title=$1 description=$2 body
  body=$(cat)
  cat <<HTML
<!doctype html>
<html lang="en">
<head>
  <meta charset="utf-8">
  <meta name="viewport" content="width=device-width, initial-scale=1">
  <title>$title · The Night Garden</title>
  <meta name="description" content="$description">
  <link rel="icon" href="favicon.svg" type="image/svg+xml">
  <link rel="stylesheet" href="styles/tokens.css">
  <link rel="stylesheet" href="styles/main.css">
  <script src="app.js" defer></script>
</head>
<body>
<a class="skip" href="#content">Skip to the content</a>
<header class="site">
<!-- navigation -->
</header>
<main id="content">
$body
</main>
<footer class="site">
  <p>The Night Garden is a sample that Orkestra built: every page was checked, reviewed and landed by itself.</p>
</footer>
</body>
</html>
HTML
}
