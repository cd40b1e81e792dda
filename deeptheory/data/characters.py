"""The characters that glyph labels are taken from, in the order in which labels take them.

Candidates are the letters, digits, mathematical symbols and arrows that all twelve DejaVu faces draw, group
by group: digits, Latin capitals, Latin small letters, Greek, Cyrillic, mathematical symbols, Armenian,
Georgian, arrows, phonetic letters, other plain letters, letters with diacritics. A character that looks like
one already taken once size and place are gone (x and X, Latin A and Greek Alpha, 0 and O) is passed over,
since the random scale makes the two the same; a second round takes those that differ by little. The rule and
its thresholds are in `tests/data/test_characters.py`, which prints this list; the list is kept so that labels
never depend on the version of a library.
"""

CHARACTERS = (
    "0123456789ABCDEFGHIJKLMNPQRSTUVWXYZabdefghijkmnpqrtyΓΔΞΠΣΦΨΩαβγδεζηιλμνξπςστυφχω"
    "БДЖИЙЛЦЧШЩЪЫЬЭЮЯбйф+<=>|~¬±×÷∀∂∃∇∈∋∐∑−∓∕∗∘∙√∛∜∝∞∟∠∧∨∩∫∸∹∺∻∽≂≃≈≐≑≒≓≔≕≡≤≥⊂⊃⊆⊇⊍⊏⊐⊑⊒"
    "⊓⊔⊕⊖⊗⊘⊙⊚⊞⊟⊠⊡⊢⊣⊤⊥⋄⌠⌡⎛⎝⎞⎠⎡⎣⎤⎦⎨⎬▷◁◸◹◺◻◿♯⟠⟵⟶⧫⩪⩫ԱԲԳԴԵԶԷԸԹԺԻԽԾԿՀՁՂՃՄՅՆՇՉՊՋՌՎՏՐՒՔՖադեըթ"
    "իլխծկձճմնչպջռվտրփքֆևაბგდევზთიკლმნოპჟრსტუფქღყჩცძწჭხჯჰჱჲჳჴჵჶჷჸჹჺ←↑→↓↔↕↖↗↘↙↚↛↜↝↞↟↠↡"
    "↢↣↤↥↦↧↨↩↪↫↬↭↮↯↰↱↲↳↴↵↶↷↸↹↺↻↼↽↾↿⇀⇁⇂⇃⇄⇅⇆⇇⇈⇉⇊⇋⇌⇍⇎⇏⇐⇑⇒⇓⇔⇕⇖⇗⇘⇙⇚⇛⇜⇝⇞⇟⇠⇡⇢⇣⇤⇥⇦⇧⇨⇩⇪⇫⇭⇮⇯⇰⇱⇲"
    "⇳⇴⇵⇶⇷⇸⇺⇻⇽⇾⇿ɐɑɒɓɔɕɖɗɘəɚɝɞɟɠɣɥɦɧɨɫɬɭɮɱɲɳɵɶɷɹɺɻɼɽɾɿʁʂʃʄʅʆʇʈʉʊʍʎʐʑʒʓʔʕʖʗʘʚʛʝʞʠʣʤʥʦʧʨ"
    "ʩʪʫʬʭʮʯÆØÞßæðþđĦŁłŊœŦŧƁƇƈƊƋƌƍƑƒƓƕƖƙƚƛƝƢƣƤƦƧƪƫƭƮƲƳƴƶƸƺƻƼƽƾƿǁǂǃǶȜȡȤȥȴȵȶȸȹȺȻȼȽȾȿɀɁɄ"
    "ɍϗϘϙϚϛϞϟϠϡϺϻϼϾϿЂЄЉЊЋЏђћѢѣҐґҒҔҖҘҙҚҢҤҪҫҬұҲҺӃӇӋӶᴂᴈᴉᴔᴖᴗᴝᴞᴟᵷᵻᶅⱤⱮⱵⱷⱹⱾⱿꞋꞌꞐꞑꞪªºÀÈËÌÏÑÒÙÝ"
    "àáâäåèéêëìíîïñòóôöùúûüýÿĄąĆćĉċčĎďĘęĜĝĢĤĥīĭĮįĲĳĴĵĶķĹĺĻļĽľĿŀńŅņŉŔŕŖŗřŚśŝŞşšŤťŮůŲŴŵ"
    "ŸŹźżžƠơƯưǗǘǠǡǢǣǨǩǬǭǮǯǹǽǾǿȉȑȓȘșȚțȨȩȪȫȱΆΈΉΊΌΎΏΐάέήίΰϊϋύώϐϑϒϓϔϖϰϱЃќӁӂӚӛӞӟӪӬӭӮӴӵӸӹḀḁ"
    "ḂḄḅḈḉḌḍḙḜḝḞḟḤḥḨḩḬḭḸḹḺḼḽḾḿṂṃṉṋṍṔṕṙṜṝṟṡṨṩṫṮṯṱṳṼṽṾẁẃẈẊẋẌẍẑẒẓẔẕẗẘẙẬậệỚớờỢợụỨứừỰựỳỴỵἂ"
    "ἆἊἌἎἐἒἔἘἚἜἢἦἨἪἬἮἰἲἴἶἸἺἼἾὂὄὊὌὒὔὖὙὛὟὢὦὪὬὮὰὲὶὺὼᾀᾂᾆᾐᾔᾠᾢᾦᾱᾳιῑῒῖῗῚῢῧῬῳῸῺﬁuΛθκψцщ϶∪⊛⊜◼◽"
    "⟷Ոբգյշშ⇼ɢɤɴɸʋʟʡʢÐøħŋƀƃƄƅƎƏƔƘƥƬƱɃϝџғҕңҭүҰӄӈӷꜧÃÖÜėěġĩĬňőŜţűųŷǎǐǒǔǕǖǜǟǧǫȁȅȋȧȯȰϵѓѝӫḃ"
    "ḆḇḋḎḏḓḘḛḡḣḫḱḴḵḻṈṊṌṛṞṪṰṲṷṿẅẇẉẏẠạẰằặẸẹỆỊịộỡữἀἄἡἤὉὐὤὨᾒᾖᾤᾲᾷᾺῃῆῇῈῐῤῪῶﬂ"
)
